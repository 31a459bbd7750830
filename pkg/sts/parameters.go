package sts

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of what is read before anything is known of the caller.
const (
	maxParameters = 256
	maxName       = 128
	// maxMember is the highest number of a list's member.
	maxMember = 999
)

// Parameters are the parameters of a call, each given once.
type Parameters struct {
	values map[string]string
	lists  map[string][]map[string]string
}

// readParameters reads the query and the body of a request, both forms. A parameter that is given twice is refused, because another
// reader could take the other value.
func readParameters(query, body string) (*Parameters, *Error) {
	p := &Parameters{values: map[string]string{}}
	for _, form := range []string{query, body} {
		for piece := range strings.SplitSeq(form, "&") {
			if piece == "" {
				continue
			}
			if err := p.add(piece); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

func (p *Parameters) add(piece string) *Error {
	rawName, rawValue, _ := strings.Cut(piece, "=")
	name, err1 := url.QueryUnescape(rawName)
	value, err2 := url.QueryUnescape(rawValue)
	_, given := p.values[name]
	switch {
	case err1 != nil || err2 != nil || !utf8.ValidString(name) || !utf8.ValidString(value):
		return &Error{Code: MalformedQueryString, Message: "The query string contains a syntax error."}
	case len(name) > maxName || len(p.values) == maxParameters:
		return &Error{Code: MalformedQueryString, Message: "The request has too many parameters, or one with a name that is too long."}
	case given:
		return &Error{Code: MalformedQueryString, Message: "The request has the parameter " + printable(name) + " twice."}
	}
	p.values[name] = value
	return nil
}

// printable returns a text of the client's for an error message: letters that cannot be seen are replaced, and what is long is cut.
func printable(text string) string {
	const most = 64
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

// Text returns a parameter, or "". An empty parameter does not get as far as an Action.
func (p *Parameters) Text(name string) string { return p.values[name] }

// Duration returns a parameter that is a number of seconds. It returns 0 without the parameter, and an error for 0.
func (p *Parameters) Duration(name string) (time.Duration, error) {
	text, given := p.values[name]
	if !given {
		return 0, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 32)
	switch {
	case err != nil:
		return 0, constraint(printable(text), name, "Member must be an integer")
	case seconds < minDuration:
		return 0, constraint(strconv.FormatInt(seconds, 10), name, "Member must have value greater than or equal to "+strconv.Itoa(minDuration))
	}
	return time.Duration(seconds) * time.Second, nil
}

// minDuration is the least DurationSeconds of each operation.
const minDuration = 900

// Texts returns a field of the members of a list, in the order of their numbers: Name.member.1, or Name.member.1.field.
func (p *Parameters) Texts(list, field string) []string {
	var texts []string
	for _, member := range p.lists[list] {
		texts = append(texts, member[field])
	}
	return texts
}

// constraint is the message of STS about one parameter.
func constraint(value, name, must string) *Error {
	return &Error{Code: ValidationError, Message: "1 validation error detected: Value '" + value + "' at '" + lowerFirst(name) + "' failed to satisfy constraint: " + must}
}

// lowerFirst returns a parameter's name as messages have it.
func lowerFirst(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// Shape says which parameters an action has, besides Action and Version. STS ignores parameters that it does not know. Here, one that
// differs from a known name only in case, or that is part of a list with another structure, is refused: it was meant to count.
type Shape struct {
	Required, Optional []string
	// Lists are the fields of the members of each list; a single "" for a list of texts. The fields in MayBeEmpty can be empty or missing.
	Lists      map[string][]string
	MayBeEmpty []string
	// Unsupported are parameters that would change the answer, each with the reason for the refusal.
	Unsupported map[string]string
}

// fit checks the parameters against a shape and reads the lists.
func (p *Parameters) fit(s *Shape) *Error {
	p.lists = map[string][]map[string]string{}
	members := map[string]map[int]map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		if err := s.check(name, p.values[name], members); err != nil {
			return err
		}
	}
	for list, numbered := range members {
		for _, n := range slices.Sorted(maps.Keys(numbered)) {
			if err := s.complete(list, n, numbered[n]); err != nil {
				return err
			}
			p.lists[list] = append(p.lists[list], numbered[n])
		}
	}
	return p.missing(s.Required)
}

// check sorts one parameter.
func (s *Shape) check(name, value string, members map[string]map[int]map[string]string) *Error {
	root, rest, _ := strings.Cut(name, ".")
	if reason, refused := s.Unsupported[root]; refused {
		return &Error{Code: ValidationError, Message: "The parameter " + root + " is not supported: " + reason}
	}
	if s.isText(name) {
		if value == "" {
			return constraint("", name, "Member must have length greater than or equal to 1")
		}
		return nil
	}
	if fields, known := s.Lists[root]; known {
		number, field, ok := memberOf(rest)
		if !ok || !slices.Contains(fields, field) {
			return &Error{Code: MalformedQueryString, Message: "The parameter " + printable(name) + " is not a member of the list " + root + "."}
		}
		if members[root] == nil {
			members[root] = map[int]map[string]string{}
		}
		if members[root][number] == nil {
			members[root][number] = map[string]string{}
		}
		members[root][number][field] = value
		return nil
	}
	return s.similar(name, root)
}

func (s *Shape) isText(name string) bool {
	return slices.Contains(s.Required, name) || slices.Contains(s.Optional, name)
}

// similar refuses a name whose root, up to its first dot, is a known name in another case, or one that is no list.
func (s *Shape) similar(name, root string) *Error {
	for _, known := range slices.Concat(s.Required, s.Optional, slices.Collect(maps.Keys(s.Lists)), slices.Collect(maps.Keys(s.Unsupported))) {
		if strings.EqualFold(root, known) {
			return &Error{Code: ValidationError, Message: "The parameter " + printable(name) + " is not known: write " + known}
		}
	}
	return nil
}

// complete refuses a member of a list with a field that is missing or empty.
func (s *Shape) complete(list string, n int, member map[string]string) *Error {
	for _, field := range s.Lists[list] {
		if _, given := member[field]; (!given || member[field] == "") && !slices.Contains(s.MayBeEmpty, field) {
			at := lowerFirst(list) + "." + strconv.Itoa(n) + ".member"
			if field != "" {
				at += "." + lowerFirst(field)
			}
			return constraint(member[field], at, "Member must have length greater than or equal to 1")
		}
	}
	return nil
}

// memberOf reads member.N or member.N.field. Numbers have one spelling.
func memberOf(rest string) (number int, field string, ok bool) {
	rest, ok = strings.CutPrefix(rest, "member.")
	digits, field, _ := strings.Cut(rest, ".")
	number, err := strconv.Atoi(digits)
	return number, field, ok && err == nil && number >= 1 && number <= maxMember && strconv.Itoa(number) == digits
}

// missing names all required parameters that are not given.
func (p *Parameters) missing(required []string) *Error {
	var problems []string
	for _, name := range required {
		if _, given := p.values[name]; !given {
			problems = append(problems, "Value null at '"+lowerFirst(name)+"' failed to satisfy constraint: Member must not be null")
		}
	}
	if len(problems) == 0 {
		return nil
	}
	noun := " validation errors detected: "
	if len(problems) == 1 {
		noun = " validation error detected: "
	}
	return &Error{Code: ValidationError, Message: strconv.Itoa(len(problems)) + noun + strings.Join(problems, "; ")}
}

// version is the only version of the API.
const version = "2011-06-15"

// action returns the name of the operation.
func (p *Parameters) action() (string, *Error) {
	name, v := p.values["Action"], p.values["Version"]
	switch {
	case name == "":
		return "", &Error{Code: MissingAction, Message: "The request is missing an action: write Action=AssumeRole, or another one, into a form."}
	case v != version:
		return "", notFound(name, cmp.Or(v, "NO_VERSION_SPECIFIED"))
	}
	return name, nil
}

func notFound(name, v string) *Error {
	return &Error{Code: InvalidAction, Message: "Could not find operation " + printable(name) + " for version " + printable(v)}
}
