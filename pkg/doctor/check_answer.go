package doctor

import (
	"strings"

	"github.com/portcullis-authz/portcullis/pkg/doctor/dump"
	"github.com/portcullis-authz/portcullis/pkg/doctor/rulebook"
	"github.com/portcullis-authz/portcullis/pkg/doctor/tree"
)

// answers finds what changes the answers of portcullis on their way to the client. Another body is a note, another status is wrong.
func (e *examination) answers(m *dump.Manager) {
	replies := tree.Get(m.Tree, "local_reply_config")
	severity := func(status bool) rulebook.Severity {
		if status {
			return rulebook.Wrong
		}
		return rulebook.Note
	}
	for i, mapper := range tree.ListAt(replies, "mappers") {
		status, body := tree.Get(mapper, "status_code") != nil, changesBody(tree.Get(mapper, "body_format_override")) || tree.Get(mapper, "body") != nil
		if (status || body) && !sparesAnswers(tree.Get(mapper, "filter")) {
			e.ReportAs(severity(status), rulebook.Answers, m.Where, m.Path+".local_reply_config", "mapper %d of local_reply_config applies to denials too", i)
		}
	}
	if changesBody(tree.Get(replies, "body_format")) {
		e.ReportAs(rulebook.Note, rulebook.Answers, m.Where, m.Path+".local_reply_config", "body_format replaces every body")
	}
	for i := range m.Filters {
		f := &m.Filters[i]
		if f.Kind() != "custom_response" || !m.Runs(f) {
			continue
		}
		text := tree.Compact(f.Config)
		status := strings.Contains(text, `"status_code"`) || m.OverridesWith(f.Name, `"status_code"`)
		e.ReportAs(severity(status), rulebook.Answers, f.Where, f.Path, "custom_response can replace answers of portcullis")
	}
}

// changesBody reports whether a format leaves out the body that it formats.
func changesBody(format any) bool {
	return format != nil && !strings.Contains(tree.Compact(format), "LOCAL_REPLY_BODY")
}

// sparesAnswers reports whether the filter of a mapper leaves out what portcullis has answered: by the details that Envoy gives such
// answers, or by other flags than theirs.
func sparesAnswers(filter any) bool {
	text := tree.Compact(filter)
	if strings.Contains(text, "ext_authz_denied") {
		return true
	}
	flags := tree.ListAt(filter, "response_flag_filter", "flags")
	for _, inner := range tree.ListAt(filter, "and_filter", "filters") {
		if sparesAnswers(inner) {
			return true
		}
	}
	return len(flags) > 0 && !strings.Contains(text, `"UAEX"`)
}
