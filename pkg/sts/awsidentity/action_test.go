package awsidentity

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/policy"
	"github.com/portcullis-authz/portcullis/pkg/session"
	"github.com/portcullis-authz/portcullis/pkg/sts"
)

const (
	secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	cart   = "arn:aws:iam::111122223333:role/shop/cart"
	guard  = "arn:aws:iam::111122223333:role/guarded"
	alice  = "arn:aws:iam::444455556666:user/staff/alice"
	deploy = "arn:aws:iam::444455556666:role/ci/deploy"

	aliceID, deployID = "AIDAALICE0000000EXAMPLE", "AROADEPLOY000000EXAMPLE"
)

func newRing(t testing.TB) *session.Ring {
	t.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	ring, faults := session.NewRing([]session.RingKey{{ID: "k", Secret: base64.StdEncoding.EncodeToString(key), Issues: true}}, fault.Root(nil))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return ring
}

// storeOf returns a store of written users and roles, and of keys by id.
func storeOf(t testing.TB, ring *session.Ring, users, roles []iam.Written, keys map[string]string) *iam.Store {
	t.Helper()
	b, root := iam.NewBuilder(), fault.Root(nil)
	b.Sessions(ring)
	var faults []fault.Fault
	for i := range users {
		faults = append(faults, b.AddUser(&users[i], root)...)
	}
	for i := range roles {
		faults = append(faults, b.AddRole(&roles[i], root)...)
	}
	for id, user := range keys {
		faults = append(faults, b.AddKey(&iam.AccessKey{ID: id, Secret: secret, User: user}, root)...)
	}
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return b.Store()
}

func trustPolicy(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, faults := policy.Parse([]byte(text), policy.Options{Name: iam.TrustPolicyName, Kind: policy.Trust, Format: policy.FormatJSON})
	if p == nil {
		t.Fatal(faults)
	}
	return p
}

func serverOf(t testing.TB, c sts.Config) *sts.Server {
	t.Helper()
	service, err := sts.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return sts.NewServer(sts.ServerConfig{
		Current: func() (*sts.Service, func()) { return service, func() {} }, Log: slog.New(slog.DiscardHandler),
	})
}

// newAWS returns an STS with users and a role that stands for AWS's.
func newAWS(t testing.TB) *httptest.Server {
	t.Helper()
	ring := newRing(t)
	server := httptest.NewServer(serverOf(t, sts.Config{
		Sessions: ring, CallsPerSecond: 10000,
		Store: storeOf(t, ring,
			[]iam.Written{{ARN: alice, ID: aliceID, Policies: []*policy.Policy{identityPolicy(t)}}, {ARN: "arn:aws:iam::444455556666:user/bob", ID: "AIDABOB000000000EXAMPLE"}},
			[]iam.Written{{ARN: deploy, ID: deployID, Trust: trustPolicy(t, `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "`+alice+`"}}}`)}},
			map[string]string{"AKIAALICE0000EXAMPLE": alice, "AKIABOB000000EXAMPLE": "arn:aws:iam::444455556666:user/bob"}),
	}))
	t.Cleanup(server.Close)
	return server
}

func identityPolicy(t testing.TB) *policy.Policy {
	t.Helper()
	p, faults := policy.Parse([]byte(`{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}}`),
		policy.Options{Name: "p", Kind: policy.Identity, Format: policy.FormatJSON})
	if p == nil {
		t.Fatal(faults)
	}
	return p
}

type fixture struct {
	*httptest.Server
	aws    string
	client *Client
	ring   *session.Ring
}

var entries = []Entry{
	{User: alice, ID: aliceID, MayAssume: []string{cart, guard}},
	{Role: deploy, ID: deployID, MayAssume: []string{cart}},
}

// newFixture returns an STS that asks the one at a URL in place of AWS.
func newFixture(t testing.TB, aws string, listed []Entry) *fixture {
	t.Helper()
	f := &fixture{aws: aws, client: NewClient(), ring: newRing(t)}
	t.Cleanup(f.client.Close)
	var listing Listing
	for _, e := range listed {
		if faults := listing.Add(e, fault.Root(nil)); len(faults) > 0 {
			t.Fatal(faults)
		}
	}
	store := storeOf(t, f.ring, nil, []iam.Written{
		{ARN: cart}, {ARN: guard, Trust: trustPolicy(t, `{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "sts:*", "Principal": {"AWS": "`+alice+`"}}}`)},
	}, nil)
	a, err := New(Config{
		Client: f.client, Store: store, Listing: &listing, URLs: []string{here, "https://other.example.com"},
		Endpoint: &Endpoint{URL: aws, Region: "us-east-1", Partition: "aws"},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Server = httptest.NewTLSServer(serverOf(t, sts.Config{
		Store: store, Sessions: f.ring, CallsPerSecond: 10000, Actions: map[string]*sts.Action{ActionName: a},
	}))
	t.Cleanup(f.Close)
	return f
}

type outcome struct {
	Response struct {
		Result struct {
			AssumedRoleUser struct{ Arn string }
			Credentials     struct {
				AccessKeyID  string `json:"AccessKeyId"`
				SessionToken string
				Expiration   int64
			}
		} `json:"AssumeRoleWithCallerIdentityResult"`
	} `json:"AssumeRoleWithCallerIdentityResponse"`
	Error struct{ Code, Message string }
}

// call exchanges a URL. Pairs are further parameters.
func (f *fixture) call(t testing.TB, presigned string, pairs ...string) outcome {
	t.Helper()
	form := url.Values{"Action": {ActionName}, "Version": {"2011-06-15"}, "CallerIdentityUrl": {presigned}, "StsUrl": {here}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}}
	answer, err := f.Server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var o outcome
	if err := json.Unmarshal(body, &o); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return o
}

// session opens the session that a call got.
func (f *fixture) session(t testing.TB, name string, o outcome) *session.Session {
	t.Helper()
	c := o.Response.Result.Credentials
	s, _, ok := f.ring.Open(c.AccessKeyID, c.SessionToken)
	if !ok {
		t.Fatalf("%s: %+v", name, o.Error)
	}
	return s
}

func (f *fixture) refused(t testing.TB, name string, o outcome, code sts.Code, message string) {
	t.Helper()
	if o.Error.Code != string(code) || !strings.Contains(o.Error.Message, message) || o.Response.Result.Credentials.AccessKeyID != "" {
		t.Errorf("%s: %+v, want %s with %q", name, o.Error, code, message)
	}
}

// sign presigns with a key of the STS that stands for AWS, at a time of its own: no two URLs are the same.
func (f *fixture) sign(t testing.TB, keyID, secret, token string) string {
	t.Helper()
	fixtureClock.Lock()
	defer fixtureClock.Unlock()
	fixtureClock.n++
	return signedAt(t, f.aws, "us-east-1", keyID, secret, token, here, fixtureStart.Add(-time.Duration(fixtureClock.n%200)*time.Second))
}

// fixtureClock counts signatures. Each has a second of its own, because a URL is accepted once.
var fixtureClock struct {
	sync.Mutex
	n int
}

var fixtureStart = time.Now()

func (f *fixture) alice(t testing.TB) string { return f.sign(t, "AKIAALICE0000EXAMPLE", secret, "") }

func TestExchange(t *testing.T) {
	aws := newAWS(t)
	f := newFixture(t, aws.URL, entries)
	s := f.session(t, "a user", f.call(t, f.alice(t), "RoleArn", cart))
	if s.Role != cart || s.Name != "alice" || time.Until(s.Expires) > time.Hour || time.Until(s.Expires) < 59*time.Minute || time.Since(s.Issued) > time.Minute {
		t.Errorf("%+v", s)
	}
	until := time.Now().Add(20 * time.Minute).UTC().Truncate(time.Second)
	s = f.session(t, "an end", f.call(t, f.alice(t), "RoleArn", cart, "CallerExpiration", until.Format(time.RFC3339)))
	if !s.End().Equal(until) {
		t.Errorf("the credentials work until %v, want %v", s.End(), until)
	}
	f.refused(t, "two roles", f.call(t, f.alice(t)), sts.ValidationError, "write one to RoleArn")
	f.refused(t, "a role whose trust policy denies", f.call(t, f.alice(t), "RoleArn", guard), sts.AccessDenied, "not authorized")
	f.refused(t, "an unlisted role", f.call(t, f.alice(t), "RoleArn", "arn:aws:iam::111122223333:role/cart"), sts.AccessDenied, "not authorized")
	f.refused(t, "an unlisted user", f.call(t, f.sign(t, "AKIABOB000000EXAMPLE", secret, ""), "RoleArn", cart), sts.AccessDenied, "not authorized")
	f.refused(t, "a wrong signature", f.call(t, f.sign(t, "AKIAALICE0000EXAMPLE", "x", ""), "RoleArn", cart), sts.AccessDenied, "AWS does not accept")
	f.refused(t, "a key unknown to AWS", f.call(t, f.sign(t, "AKIANOBODY000EXAMPLE", secret, ""), "RoleArn", cart), sts.AccessDenied, "AWS does not accept")
	f.refused(t, "two hours", f.call(t, f.alice(t), "RoleArn", cart, "DurationSeconds", "7200"), sts.ValidationError, "1 hour")
	f.refused(t, "an end in the past", f.call(t, f.alice(t), "RoleArn", cart, "CallerExpiration", "2026-01-01T00:00:00Z"), sts.ExpiredToken, "")
	f.refused(t, "an end that is no time", f.call(t, f.alice(t), "CallerExpiration", "soon"), sts.ValidationError, "not a time")
	f.refused(t, "a session policy", f.call(t, f.alice(t), "RoleArn", cart, "Policy", "{}"), sts.ValidationError, "not narrowed")
	f.refused(t, "another installation", f.call(t, f.alice(t), "StsUrl", "https://evil.example.com"), sts.AccessDenied, "another STS")
	f.refused(t, "another URL of this one", f.call(t, f.alice(t), "StsUrl", "https://other.example.com"), sts.AccessDenied, "AWS does not accept")
	f.refused(t, "AWS itself", f.call(t, signedAt(t, "https://sts.amazonaws.com", "us-east-1", "AKIAALICE0000EXAMPLE", secret, "", here, time.Now())), sts.InvalidIdentityToken, "host")
	f.refused(t, "an old URL", f.call(t, signedAt(t, aws.URL, "us-east-1", "AKIAALICE0000EXAMPLE", secret, "", here, time.Now().Add(-6*time.Minute))), sts.ExpiredTokenException, "too old")
	again := f.alice(t)
	f.session(t, "once", f.call(t, again, "RoleArn", cart))
	f.refused(t, "a replay", f.call(t, again, "RoleArn", cart), sts.InvalidIdentityToken, "used before")
}

// A role session of AWS: its issue time is not known, so it is old, and it lasts as long as the client says, or 15 minutes.
func TestExchangeOfTemporaryKeys(t *testing.T) {
	aws := newAWS(t)
	f := newFixture(t, aws.URL, entries)
	key, secretKey, token := assume(t, aws.URL)
	s := f.session(t, "a role session", f.call(t, f.sign(t, key, secretKey, token)))
	if s.Role != cart || s.Name != "build-7" || !s.Issued.Equal(time.Unix(0, 0)) || time.Until(s.Expires) > uncertain {
		t.Errorf("%+v", s)
	}
	s = f.session(t, "a role session with an end", f.call(t, f.sign(t, key, secretKey, token), "CallerExpiration", time.Now().Add(12*time.Hour).UTC().Format(time.RFC3339)))
	if left := time.Until(s.Expires); left > time.Hour || left < 59*time.Minute {
		t.Errorf("lasts %v", left)
	}
	f.refused(t, "a token of another key", f.call(t, f.sign(t, "ASIAOTHER00000000000", secretKey, token)), sts.AccessDenied, "AWS does not accept")
	f = newFixture(t, aws.URL, []Entry{{Account: "444455556666", MayAssume: []string{cart}}})
	f.session(t, "an account's role", f.call(t, f.sign(t, key, secretKey, token)))
	f = newFixture(t, aws.URL, []Entry{{Account: "444455556666", MayAssume: []string{guard}}})
	f.refused(t, "a role with a Deny, by the account", f.call(t, f.sign(t, key, secretKey, token)), sts.AccessDenied, "not authorized")
	f = newFixture(t, aws.URL, []Entry{{Role: deploy, ID: deployID, MayAssume: []string{guard}}})
	f.session(t, "a role with a Deny of another", f.call(t, f.sign(t, key, secretKey, token)))
	for name, e := range map[string]Entry{
		"another unique id": {Role: deploy, ID: "AROAOTHER0000000EXAMPLE", MayAssume: []string{cart}},
		"another name":      {Role: deploy + "2", ID: deployID, MayAssume: []string{cart}},
		"another account":   {Role: "arn:aws:iam::999955556666:role/ci/deploy", ID: deployID, MayAssume: []string{cart}},
		"a user":            {User: "arn:aws:iam::444455556666:user/deploy", ID: "AIDADEPLOY000000EXAMPLE", MayAssume: []string{cart}},
	} {
		f := newFixture(t, aws.URL, []Entry{e})
		f.refused(t, name, f.call(t, f.sign(t, key, secretKey, token)), sts.AccessDenied, "not authorized")
	}
}

// assume gets a role session from the STS that stands for AWS.
func assume(t testing.TB, address string) (key, secretKey, token string) {
	t.Helper()
	signed := signedAssume(t, address)
	answer, err := http.DefaultClient.Do(signed)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var a struct {
		AssumeRoleResponse struct {
			AssumeRoleResult struct {
				Credentials struct {
					AccessKeyID                   string `json:"AccessKeyId"`
					SecretAccessKey, SessionToken string
				}
			}
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&a); err != nil {
		t.Fatal(err)
	}
	c := a.AssumeRoleResponse.AssumeRoleResult.Credentials
	if c.AccessKeyID == "" {
		t.Fatal("no session of the role deploy")
	}
	return c.AccessKeyID, c.SecretAccessKey, c.SessionToken
}

const goodAnswer = `{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Account":"444455556666","Arn":"` + alice + `","UserId":"` + aliceID + `"},"ResponseMetadata":{"RequestId":"x"}}}`

// What is not AWS's answer, or an answer about nobody who may be listed, gets nothing. The entry lists the whole account.
func TestAnswersOfAWS(t *testing.T) {
	reply := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	identity := func(account, arn, userID string) http.HandlerFunc {
		return reply(200, "application/json", fmt.Sprintf(`{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Account":%q,"Arn":%q,"UserId":%q}}}`, account, arn, userID))
	}
	const account, sessionOf = "444455556666", "arn:aws:sts::444455556666:assumed-role/"
	for name, tt := range map[string]struct {
		aws  http.HandlerFunc
		code sts.Code
	}{
		"good":            {reply(200, "application/json", goodAnswer), ""},
		"with a charset":  {reply(200, "application/json; charset=utf-8", goodAnswer), ""},
		"redirect":        {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, sts.IDPCommunicationError},
		"text":            {reply(200, "text/plain", goodAnswer), sts.IDPCommunicationError},
		"XML":             {reply(200, "text/xml", "<GetCallerIdentityResponse/>"), sts.IDPCommunicationError},
		"created":         {reply(201, "application/json", goodAnswer), sts.IDPCommunicationError},
		"forbidden":       {reply(403, "application/json", `{"Error":{"Code":"SignatureDoesNotMatch"}}`), sts.AccessDenied},
		"forbidden, good": {reply(403, "application/json", goodAnswer), sts.AccessDenied},
		"too many":        {reply(429, "application/json", "{}"), sts.IDPCommunicationError},
		"down":            {reply(503, "application/json", goodAnswer), sts.IDPCommunicationError},
		"huge":            {reply(200, "application/json", goodAnswer+strings.Repeat(" ", maxAnswer)), sts.IDPCommunicationError},
		"empty":           {reply(200, "application/json", ""), sts.IDPCommunicationError},
		"two documents":   {reply(200, "application/json", goodAnswer+goodAnswer), sts.IDPCommunicationError},
		"other result":    {reply(200, "application/json", strings.ReplaceAll(goodAnswer, "GetCallerIdentityResult", "GetSessionTokenResult")), sts.IDPCommunicationError},
		"a name twice":    {reply(200, "application/json", strings.Replace(goodAnswer, `"Account"`, `"Arn":"x","Account"`, 1)), sts.IDPCommunicationError},
		"numbers":         {reply(200, "application/json", strings.Replace(goodAnswer, `"444455556666"`, `444455556666`, 1)), sts.IDPCommunicationError},
		"a hang-up":       {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, sts.IDPCommunicationError},
		"root":            {identity(account, "arn:aws:iam::444455556666:root", account), sts.AccessDenied},
		"federated":       {identity(account, "arn:aws:sts::444455556666:federated-user/bob", account+":bob"), sts.AccessDenied},
		"other account":   {identity("999955556666", alice, aliceID), sts.AccessDenied},
		"partition":       {identity(account, "arn:aws-cn:iam::444455556666:user/alice", aliceID), sts.AccessDenied},
		"no user id":      {identity(account, alice, "AROAALICE0000000EXAMPLE"), sts.AccessDenied},
		"session":         {identity(account, sessionOf+"r/s1", deployID+":s1"), ""},
		"other session":   {identity(account, sessionOf+"r/s1", deployID+":s2"), sts.AccessDenied},
		"session of user": {identity(account, sessionOf+"r/s1", aliceID+":s1"), sts.AccessDenied},
		"longer session":  {identity(account, sessionOf+"r/s1/x", deployID+":s1/x"), sts.AccessDenied},
		"group":           {identity(account, "arn:aws:iam::444455556666:group/x", "AGPAEXAMPLE0000000000"), sts.AccessDenied},
		"odd name":        {identity(account, "arn:aws:iam::444455556666:user/a b", aliceID), sts.AccessDenied},
	} {
		aws := httptest.NewServer(tt.aws)
		f := newFixture(t, aws.URL, []Entry{{Account: account, MayAssume: []string{cart}}})
		if o := f.call(t, f.alice(t)); tt.code == "" {
			f.session(t, name, o)
		} else {
			f.refused(t, name, o, tt.code, "")
		}
		aws.Close()
	}
}

// What is sent has only the headers that are known here, and what waits for AWS is bounded.
func TestRequestsToAWS(t *testing.T) {
	release, entered := make(chan struct{}), make(chan http.Header, maxAsking)
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- r.Header.Clone()
		select {
		case <-release:
		case <-r.Context().Done():
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, goodAnswer)
	}))
	t.Cleanup(aws.Close)
	f := newFixture(t, aws.URL, entries)
	var all sync.WaitGroup
	for range maxAsking / 2 {
		text := f.alice(t)
		all.Go(func() { f.call(t, text, "RoleArn", cart) })
	}
	for range maxAsking / 2 {
		if got := <-entered; len(got) != 2 || got.Get("Accept") != "application/json" || got.Get(Header) != here {
			t.Errorf("headers %v", got)
		}
	}
	f.refused(t, "one more of the same address", f.call(t, f.alice(t), "RoleArn", cart), sts.Throttling, "")
	p, err := parse(f.alice(t), map[string]endpoint{strings.TrimPrefix(aws.URL, "http://"): {aws.URL, "aws", "us-east-1"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	all.Go(func() {
		if _, err := f.client.ask(t.Context(), p, here, netip.MustParseAddr("192.0.2.1"), time.Now()); err != nil {
			t.Error("another address: ", err)
		}
	})
	<-entered
	close(release)
	all.Wait()
}

func TestSlowAWS(t *testing.T) {
	aws := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(aws.Close)
	f := newFixture(t, aws.URL, entries)
	f.client.http.Timeout = 20 * time.Millisecond
	f.refused(t, "slow", f.call(t, f.alice(t), "RoleArn", cart), sts.IDPCommunicationError, "")
	f.refused(t, "an address of nobody", newFixture(t, "http://127.0.0.1:1", entries).call(t, signedAt(t, "http://127.0.0.1:1", "us-east-1", "AKIAALICE0000EXAMPLE", secret, "", here, time.Now())),
		sts.IDPCommunicationError, "")
}

func TestUsedURLs(t *testing.T) {
	c, at := NewClient(), time.Now()
	use := func(n int, at time.Time) error {
		return c.use(&presigned{values: url.Values{"X-Amz-Signature": {fmt.Sprint(n)}}, expires: at.Add(maxAge)}, at)
	}
	for n := range maxUsed {
		if err := use(n, at); err != nil {
			t.Fatal(n, err)
		}
	}
	if err := use(1, at.Add(time.Second)); err != errReplayed { //nolint:errorlint // as it is returned
		t.Error(err)
	}
	if err := use(maxUsed, at.Add(time.Second)); err != errFull { //nolint:errorlint // as it is returned
		t.Error(err)
	}
	if err := use(maxUsed, at.Add(maxAge)); err != nil || len(c.used) != 1 {
		t.Errorf("%v, %d remembered", err, len(c.used))
	}
}

func TestFaultsOfEntries(t *testing.T) {
	for name, e := range map[string]Entry{
		"nobody":           {MayAssume: []string{cart}},
		"two":              {Account: "444455556666", User: alice, ID: aliceID, MayAssume: []string{cart}},
		"short account":    {Account: "4444", MayAssume: []string{cart}},
		"account's user":   {Account: alice, MayAssume: []string{cart}},
		"account of STS":   {Account: "arn:aws:sts::444455556666:root", MayAssume: []string{cart}},
		"account, region":  {Account: "arn:aws:iam:eu-west-1:444455556666:root", MayAssume: []string{cart}},
		"every partition":  {Account: "arn:*:iam::444455556666:root", MayAssume: []string{cart}},
		"no partition":     {Account: "arn::iam::444455556666:root", MayAssume: []string{cart}},
		"every account":    {Account: "arn:aws:iam::*:root", MayAssume: []string{cart}},
		"account with id":  {Account: "444455556666", ID: aliceID, MayAssume: []string{cart}},
		"no role":          {Account: "444455556666"},
		"role twice":       {Account: "444455556666", MayAssume: []string{cart, cart}},
		"no id":            {User: alice, MayAssume: []string{cart}},
		"id of a role":     {User: alice, ID: deployID, MayAssume: []string{cart}},
		"id of a user":     {Role: deploy, ID: aliceID, MayAssume: []string{cart}},
		"role as user":     {User: deploy, ID: aliceID, MayAssume: []string{cart}},
		"wildcard":         {Role: "arn:aws:iam::444455556666:role/*", ID: deployID, MayAssume: []string{cart}},
		"session":          {Role: "arn:aws:sts::444455556666:assumed-role/deploy/s1", ID: deployID, MayAssume: []string{cart}},
		"root":             {User: "arn:aws:iam::444455556666:root", ID: aliceID, MayAssume: []string{cart}},
		"account wildcard": {Role: "arn:aws:iam::*:role/deploy", ID: deployID, MayAssume: []string{cart}},
	} {
		var l Listing
		if faults := l.Add(e, fault.Root(nil)); len(faults) == 0 || len(l.entries) > 0 {
			t.Errorf("%s: %v, %v", name, faults, l.entries)
		}
	}
}

// An entry is for one partition. The number of an account is for the partition aws.
func TestPartitions(t *testing.T) {
	const account = "444455556666"
	who := func(partition, kind, name, id string) *identity {
		return &identity{partition: partition, account: account, arn: "arn:" + partition + ":iam::" + account + ":" + kind + "/" + name, role: kind == "role", name: name, id: id}
	}
	for _, partition := range []string{"aws", "aws-cn", "aws-us-gov", "aws-eusc"} {
		for name, tt := range map[string]struct {
			entry Entry
			who   *identity
		}{
			"the account": {Entry{Account: "arn:" + partition + ":iam::" + account + ":root"}, who(partition, "user", "alice", aliceID)},
			"a user":      {Entry{User: "arn:" + partition + ":iam::" + account + ":user/alice", ID: aliceID}, who(partition, "user", "alice", aliceID)},
			"a role":      {Entry{Role: "arn:" + partition + ":iam::" + account + ":role/deploy", ID: deployID}, who(partition, "role", "deploy", deployID)},
		} {
			var l Listing
			tt.entry.MayAssume = []string{cart}
			if faults := l.Add(tt.entry, fault.Root(nil)); len(faults) > 0 {
				t.Fatal(name, faults)
			}
			for _, other := range []string{"aws", "aws-cn", "aws-us-gov", "aws-eusc", ""} {
				i := *tt.who
				i.partition = other
				if i.arn = strings.Replace(i.arn, partition, other, 1); tt.entry.User == "" {
					i.arn = tt.who.arn // so that only the partition differs
				}
				if roles, _ := l.roles(&i); (len(roles) == 1) != (other == partition) {
					t.Errorf("%s of %s, a caller of %q: %v", name, partition, other, roles)
				}
			}
		}
	}
	var l Listing
	if faults := l.Add(Entry{Account: account, MayAssume: []string{cart}}, fault.Root(nil)); len(faults) > 0 {
		t.Fatal(faults)
	}
	for partition, want := range map[string]int{"aws": 1, "aws-cn": 0, "aws-us-gov": 0, "": 0} {
		if roles, _ := l.roles(who(partition, "user", "alice", aliceID)); len(roles) != want {
			t.Errorf("the number of an account, a caller of %q: %v", partition, roles)
		}
	}
}

// An entry of a partition that no STS is asked about is refused.
func TestPartitionsThatAreAsked(t *testing.T) {
	ring := newRing(t)
	for name, tt := range map[string]struct {
		account  string
		endpoint *Endpoint
		ok       bool
	}{
		"China":           {"arn:aws-cn:iam::444455556666:root", nil, true},
		"unknown":         {"arn:aws-iso:iam::444455556666:root", nil, false},
		"endpoint":        {"arn:aws-iso:iam::444455556666:root", &Endpoint{"http://127.0.0.1:1", "us-iso-east-1", "aws-iso"}, true},
		"not of endpoint": {"444455556666", &Endpoint{"http://127.0.0.1:1", "us-iso-east-1", "aws-iso"}, false},
	} {
		var l Listing
		if faults := l.Add(Entry{Account: tt.account, MayAssume: []string{cart}}, fault.Root(nil)); len(faults) > 0 {
			t.Fatal(faults)
		}
		c := Config{Client: NewClient(), Store: storeOf(t, ring, nil, nil, nil), Listing: &l, URLs: []string{here}, Endpoint: tt.endpoint}
		if _, err := New(c); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
