package identity

import (
	"github.com/portcullis-authz/portcullis/pkg/config/internal/reader"
	"github.com/portcullis-authz/portcullis/pkg/fault"
	"github.com/portcullis-authz/portcullis/pkg/iam"
	"github.com/portcullis-authz/portcullis/pkg/session"
	configv1 "github.com/portcullis-authz/portcullis/proto/portcullis/config/v1"
)

// Signable reports whether callers can have keys to sign with. Keys that are at fault are reported where they are.
func Signable(r *reader.Reader, m *configv1.Iam) bool {
	at := r.Doc.Root().Field("iam")
	return len(m.GetAccessKeys()) > 0 || m.GetSessions() != nil || len(m.GetPrincipals()) > 0 ||
		r.Follows(at.Field("accessKeys")) || r.Follows(at.Field("sessions")) || r.Follows(at.Field("principals"))
}

// sessionKeys reads the keys that session tokens are sealed under.
func (c *compiler) sessionKeys(b *iam.Builder, m *configv1.IamSessions, at *fault.Place) {
	if m == nil {
		return
	}
	at = at.Field("keys")
	before := c.Count()
	keys, known := make([]session.RingKey, len(m.GetKeys())), true
	for i, key := range m.GetKeys() {
		keys[i] = c.sessionKey(key, at.Item(i))
		known = known && !c.Follows(at.Item(i).Field("use"))
	}
	if !known || c.Count() > before {
		return // which key issues is not known
	}
	ring, faults := session.NewRing(keys, at)
	for _, f := range faults {
		c.IfNew(f.At, f.Message)
	}
	c.ring = ring
	b.Sessions(ring)
}

func (c *compiler) sessionKey(m *configv1.SessionKey, at *fault.Place) session.RingKey {
	if m.GetUse() == configv1.SessionKeyUse_SESSION_KEY_USE_UNSPECIFIED {
		c.IfNew(at.Field("use"), "the key has no use: write ISSUE for the one key that seals new tokens, and ACCEPT for all others")
	}
	if m.GetSecret() == nil {
		c.IfNew(at.Field("secret"), "the key has no secret: create one with openssl rand -base64 32, and name its file or environment variable here")
	}
	return session.RingKey{
		At: at, ID: m.GetId(), Secret: c.Secret(m.GetSecret(), at.Field("secret")), Issues: m.GetUse() == configv1.SessionKeyUse_ISSUE,
	}
}
