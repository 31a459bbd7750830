package condition

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// instant is a point in time.
type instant struct{ seconds, nano int64 }

func (a instant) compare(b instant) int {
	return cmp.Or(cmp.Compare(a.seconds, b.seconds), cmp.Compare(a.nano, b.nano))
}

// lastSecond ends the year 9999: what lies beyond is not a date but a mistake, such as milliseconds.
const lastSecond = 253402300799

// parseInstant reads seconds since 1970 or the W3C's profile of ISO 8601 (https://www.w3.org/TR/NOTE-datetime): a month, a day, or
// a day and a time with its offset from UTC. A lone number is always seconds, never a year.
func parseInstant(text string) (instant, bool) {
	if n := strings.TrimPrefix(text, "-"); n != "" && digits(n) == len(n) {
		seconds, err := strconv.ParseInt(text, 10, 64)
		return instant{seconds: seconds}, err == nil && seconds <= lastSecond && seconds >= -lastSecond
	}
	date, clock, hasClock := strings.Cut(text, "T")
	day, ok := parseDay(date, hasClock)
	if !ok || !hasClock {
		return day, ok
	}
	at, rest, ok := parseClock(clock)
	if !ok {
		return instant{}, false
	}
	offset, ok := parseOffset(rest)
	return instant{day.seconds + at.seconds - offset, at.nano}, ok
}

// parseDay reads YYYY-MM-DD or, without a time, YYYY-MM.
func parseDay(text string, whole bool) (instant, bool) {
	year, ok1 := field(text, 0, 4)
	month, ok2 := field(text, 5, 2)
	day, ok3 := 1, !whole
	if len(text) == len("2006-01-02") {
		day, ok3 = field(text, 8, 2)
		ok3 = ok3 && text[7] == '-'
	} else if len(text) != len("2006-01") {
		return instant{}, false
	}
	if !ok1 || !ok2 || !ok3 || text[4] != '-' {
		return instant{}, false
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	// time.Date turns a 31st of April into a 1st of May.
	return instant{seconds: t.Unix()}, t.Year() == year && int(t.Month()) == month && t.Day() == day
}

// parseClock reads hh:mm, hh:mm:ss or hh:mm:ss.fraction and returns what follows.
func parseClock(text string) (at instant, rest string, ok bool) {
	hour, ok1 := field(text, 0, 2)
	minute, ok2 := field(text, 3, 2)
	if !ok1 || !ok2 || text[2] != ':' || hour > 23 || minute > 59 {
		return instant{}, "", false
	}
	at.seconds, rest = int64(hour*3600+minute*60), text[5:]
	if !strings.HasPrefix(rest, ":") {
		return at, rest, true
	}
	second, ok := field(rest, 1, 2)
	if !ok || second > 59 {
		return instant{}, "", false
	}
	at.seconds, rest = at.seconds+int64(second), rest[3:]
	if !strings.HasPrefix(rest, ".") {
		return at, rest, true
	}
	n := digits(rest[1:])
	for i := range 9 {
		at.nano *= 10
		if i < n {
			at.nano += int64(rest[1+i] - '0')
		}
	}
	return at, rest[1+n:], n > 0
}

// parseOffset reads Z, +hh:mm, +hhmm or +hh, in seconds east of UTC.
func parseOffset(text string) (int64, bool) {
	if text == "Z" {
		return 0, true
	}
	hour, ok := field(text, 1, 2)
	if !ok || text[0] != '+' && text[0] != '-' {
		return 0, false
	}
	minute := 0
	switch rest := text[3:]; len(rest) {
	case 0:
	case 2:
		minute, ok = field(rest, 0, 2)
	case 3:
		minute, ok = field(rest, 1, 2)
		ok = ok && rest[0] == ':'
	default:
		return 0, false
	}
	seconds := int64(hour*3600 + minute*60)
	if text[0] == '-' {
		seconds = -seconds
	}
	return seconds, ok && hour <= 14 && minute <= 59
}

// field reads n digits at a place.
func field(text string, at, n int) (int, bool) {
	if len(text) < at+n || digits(text[at:at+n]) != n {
		return 0, false
	}
	v := 0
	for _, c := range []byte(text[at : at+n]) {
		v = v*10 + int(c-'0')
	}
	return v, true
}

// asInstant reads a request's value as a point in time.
func (v Value) asInstant() (instant, bool) {
	switch v.kind {
	case timeValue:
		return instant{v.n, v.nano}, true
	case numberValue:
		return instant{seconds: v.n}, true
	case stringValue:
		return parseInstant(v.text)
	default:
		return instant{}, false
	}
}
