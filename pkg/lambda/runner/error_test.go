package runner

import "testing"

// TestErrorsByTheirExactNames has what others read as an error's message, which decides between 401 and 500.
func TestErrorsByTheirExactNames(t *testing.T) {
	for body, want := range map[string]string{
		`{"errorMessage":"Unauthorized","errorType":"E"}`:               "Unauthorized",
		`{"ErrorMessage":"Unauthorized"}`:                               "",
		`{"errorMessage":"x","ERRORMESSAGE":"Unauthorized"}`:            "x",
		`{"errorMessage":"x","errorMessage":"Unauthorized"}`:            "",
		`{"errorMessage":"Unauthorized"} x`:                             "",
		`{"errorMessage":["Unauthorized"]}`:                             "",
		`{"errorMessage":null}`:                                         "",
		`{"a":{"errorMessage":"Unauthorized"},"errorMessage":"\u0061"}`: "a",
	} {
		e, ok := parseError([]byte(body))
		if !ok {
			e.Message = ""
		}
		if e.Message != want {
			t.Errorf("%s: %q", body, e.Message)
		}
	}
}
