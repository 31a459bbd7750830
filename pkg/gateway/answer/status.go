package answer

import (
	"fmt"
	"strings"
)

// answerStatuses has the statuses that Envoy can answer with, as ranges: envoy.type.v3.StatusCode, from 200. Envoy rejects an
// answer with any other status.
var answerStatuses = [][2]int{
	{200, 208}, {226, 226}, {300, 305}, {307, 308}, {400, 417}, {421, 424}, {426, 426}, {428, 429}, {431, 431}, {500, 508}, {510, 511},
}

// IsStatus reports whether Envoy can answer with a status.
func IsStatus(status int) bool {
	for _, r := range answerStatuses {
		if r[0] <= status && status <= r[1] {
			return true
		}
	}
	return false
}

// HasNoBody reports whether a response with a status never has a body (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5). On an
// HTTP/1 connection, a client would read a body as the beginning of the next response.
func HasNoBody(status int) bool { return status == 204 || status == 205 || status == 304 }

// ListOfStatuses returns the statuses that Envoy can answer with, for a message.
func ListOfStatuses() string {
	ranges := make([]string, 0, len(answerStatuses))
	for _, r := range answerStatuses {
		if r[0] == r[1] {
			ranges = append(ranges, fmt.Sprint(r[0]))
		} else {
			ranges = append(ranges, fmt.Sprintf("%d to %d", r[0], r[1]))
		}
	}
	return strings.Join(ranges, ", ")
}
