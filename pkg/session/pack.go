package session

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"time"
)

// A packed session is a byte that says whether the rest is deflated, and the fields in the order of walk: texts and lists after their
// length, lengths and times as varints.
const (
	stored   = 0
	deflated = 1
	// maxPacked limits a session before it is deflated and after it is inflated.
	maxPacked = 16 << 10
	// maxSeconds is the end of times that can be packed: some 34,000 years after 1970.
	maxSeconds = 1 << 40
)

// ErrTooLarge is returned for a session whose token would be longer than 2 KiB.
var ErrTooLarge = errors.New("session: the session does not fit into a token of 2 KiB")

var errNotSession = errors.New("session: the session is neither one of a role nor one of a user")

// check refuses a session that is not of exactly one role or user. The session of a user is not narrowed.
func (s *Session) check() error {
	ofRole := s.Role != "" && s.RoleID != "" && s.Name != "" && s.User == "" && s.UserID == ""
	ofUser := s.User != "" && s.UserID != "" && s.Role == "" && s.RoleID == "" && s.Name == "" && s.Policy == "" && len(s.PolicyARNs) == 0 &&
		len(s.Tags) == 0 && len(s.TransitiveTagKeys) == 0 && s.SourceIdentity == "" && s.FederatedProvider == ""
	if !ofRole && !ofUser {
		return errNotSession
	}
	if s.Issued.IsZero() || s.Expires.IsZero() {
		return errors.New("session: the session has no time of issue or no end")
	}
	return nil
}

// walk passes each field of a session to a coder. Its order is the order in a token.
func walk(s *Session, c coder) {
	for _, field := range []*string{&s.Role, &s.RoleID, &s.Name, &s.User, &s.UserID} {
		c.text(field)
	}
	for _, field := range []*time.Time{&s.Issued, &s.Expires} {
		c.time(field)
	}
	for _, field := range []*string{&s.SourceIdentity, &s.FederatedProvider, &s.Policy} {
		c.text(field)
	}
	each(c, &s.PolicyARNs, c.text)
	each(c, &s.Tags, func(t *Tag) {
		c.text(&t.Key)
		c.text(&t.Value)
	})
	each(c, &s.TransitiveTagKeys, c.text)
}

// coder writes fields or reads them.
type coder interface {
	count(n *uint64)
	text(s *string)
	time(t *time.Time)
}

// each passes the items of a list to a coder.
func each[T any](c coder, list *[]T, item func(*T)) {
	n := uint64(len(*list))
	c.count(&n)
	if *list == nil && n > 0 {
		*list = make([]T, n)
	}
	for i := range *list {
		item(&(*list)[i])
	}
}

// encoder appends fields. broken reports a time that cannot be packed.
type encoder struct {
	data   []byte
	broken bool
}

func (e *encoder) count(n *uint64) { e.data = binary.AppendUvarint(e.data, *n) }

func (e *encoder) text(s *string) {
	e.data = append(binary.AppendUvarint(e.data, uint64(len(*s))), *s...)
}

// time appends the seconds since 1970 and one more; zero stands for the zero time.
func (e *encoder) time(t *time.Time) {
	n := uint64(0)
	if !t.IsZero() {
		unix := t.Unix()
		e.broken = e.broken || unix < 0 || unix >= maxSeconds
		n = uint64(unix) + 1 //nolint:gosec // not negative, or broken
	}
	e.count(&n)
}

// decoder reads fields. After the first fault, broken, it reads zero values.
type decoder struct {
	data   []byte
	broken bool
}

// number reads a number up to a limit.
func (d *decoder) number(limit uint64) uint64 {
	n, length := binary.Uvarint(d.data)
	if d.broken || length <= 0 || n > limit {
		d.broken, d.data = true, nil
		return 0
	}
	d.data = d.data[length:]
	return n
}

// count reads the number of bytes or items that follow. An item has at least one byte.
func (d *decoder) count(n *uint64) {
	if *n = d.number(maxPacked); *n > uint64(len(d.data)) {
		*n, d.broken, d.data = 0, true, nil
	}
}

func (d *decoder) text(s *string) {
	var n uint64
	d.count(&n)
	*s, d.data = string(d.data[:n]), d.data[n:]
}

func (d *decoder) time(t *time.Time) {
	if n := d.number(maxSeconds); n > 0 {
		*t = time.Unix(int64(n)-1, 0).UTC() //nolint:gosec // at most maxSeconds
	}
}

// seconds returns a time as a token holds it.
func seconds(t time.Time) time.Time { return time.Unix(t.Unix(), 0).UTC() }

// pack returns the shorter of the stored and the deflated form of a session.
func pack(s *Session) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	e := encoder{data: []byte{stored}}
	walk(s, &e)
	switch {
	case e.broken:
		return nil, errors.New("session: a time of the session is before 1970 or too late")
	case len(e.data) > maxPacked:
		return nil, ErrTooLarge
	}
	if short := deflate(e.data[1:]); len(short) < len(e.data) {
		return short, nil
	}
	return e.data, nil
}

// unpack returns the session that pack has packed, or nil. Of all forms that say the same it reads only the one that pack writes, so
// nothing is left over.
func unpack(packed []byte) *Session {
	if len(packed) == 0 {
		return nil
	}
	data := packed[1:]
	if packed[0] == deflated {
		data = inflate(data)
	}
	d := decoder{data: data}
	s := &Session{}
	walk(s, &d)
	e := encoder{}
	walk(s, &e)
	if packed[0] > deflated || d.broken || s.check() != nil || !bytes.Equal(e.data, data) {
		return nil
	}
	return s
}

// dictionary holds what is frequent in sessions, the most frequent last. It is part of the token format: a change needs a new version.
const dictionary = `"StringEquals":{"ForAllValues:StringLike":"IpAddress":{"aws:SourceIp":"NotAction":"NotResource":"Effect":"Deny",` +
	`https://.com.amazonaws.eks.us-east-1./id/token.actions.githubusercontent.com:oidc-provider/system:serviceaccount:` +
	`{"Version":"2012-10-17","Id":"Statement":[{"Sid":"Condition":{"Effect":"Allow","Action":["execute-api:Invoke"],"Resource":["*"]}]}` +
	`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:eu-west-1:` +
	`arn:aws:iam::aws:policy/arn:aws:iam:::user/AIDAarn:aws:iam:::role/AROA`

// Deflaters and inflaters are reused, because one has a megabyte and the other 40 KiB.
var (
	deflaters = sync.Pool{New: func() any {
		w, err := flate.NewWriterDict(nil, flate.BestCompression, []byte(dictionary))
		if err != nil {
			panic(err) // the level is a constant
		}
		return w
	}}
	inflaters = sync.Pool{New: func() any { return flate.NewReaderDict(nil, []byte(dictionary)) }}
)

func deflate(data []byte) []byte {
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	out := bytes.NewBuffer([]byte{deflated})
	w.Reset(out)
	_, err1 := w.Write(data)
	if err := errors.Join(err1, w.Close()); err != nil {
		panic(err) // a Buffer takes everything
	}
	return out.Bytes()
}

// inflate returns nil for data that is damaged, continues after its end, or has more than maxPacked bytes inside.
func inflate(data []byte) []byte {
	r := inflaters.Get().(io.Reader)
	defer inflaters.Put(r)
	in := bytes.NewReader(data)
	err := r.(flate.Resetter).Reset(in, []byte(dictionary))
	if err != nil {
		return nil
	}
	out, err := io.ReadAll(io.LimitReader(r, maxPacked+1))
	if err != nil || len(out) > maxPacked || in.Len() > 0 {
		return nil
	}
	return out
}
