package simulate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseContextEntry(t *testing.T) {
	for text, want := range map[string]ContextEntry{
		"ContextKeyName=aws:SourceIp,ContextKeyValues=10.0.0.1,ContextKeyType=ip":                                 {"aws:SourceIp", []string{"10.0.0.1"}, "ip"},
		"ContextKeyName='aws:CurrentTime',ContextKeyValues='2019-04-25T11:00:00Z',ContextKeyType=date":            {"aws:CurrentTime", []string{"2019-04-25T11:00:00Z"}, "date"},
		`ContextKeyType=stringList,ContextKeyValues="a,b",c=d,"it's",'x"y',\'z,ContextKeyName="aws:TagKeys"`:      {"aws:TagKeys", []string{"a,b", "c=d", "it's", `x"y`, "'z"}, "stringList"},
		"ContextKeyName=aws:TagKeys,ContextKeyValues=[team,env],ContextKeyType=stringList":                        {"aws:TagKeys", []string{"team", "env"}, "stringList"},
		"ContextKeyName=aws:UserAgent,ContextKeyValues=Mozilla/5.0 (X11; Linux),ContextKeyType=string":            {"aws:UserAgent", []string{"Mozilla/5.0 (X11; Linux)"}, "string"},
		"ContextKeyName=aws:Referer,ContextKeyValues=https://example.com/?ContextKeyType=1,ContextKeyType=string": {"aws:Referer", []string{"https://example.com/?ContextKeyType=1"}, "string"},
	} {
		got, err := ParseContextEntry(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	for _, text := range []string{
		"", "ContextKeyName=a:b", "aws:SourceIp=10.0.0.1", "ContextKeyName=a:b,c,ContextKeyValues=d,ContextKeyType=string",
		"ContextKeyName=a:b,ContextKeyValues=c,ContextKeyType=string,d", "ContextKeyName=a:b,ContextKeyName=a:c,ContextKeyValues=d,ContextKeyType=string",
		"ContextKeyName=a:b,ContextKeyType=string", "contextKeyName=a:b,ContextKeyValues=c,ContextKeyType=string",
	} {
		if got, err := ParseContextEntry(text); err == nil {
			t.Errorf("%q: %+v, want an error", text, got)
		}
	}
}
