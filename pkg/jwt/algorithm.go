package jwt

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// algorithms are all that a token may ever be signed with.
var algorithms = []struct {
	name   string
	family family
}{
	{"RS256", familyRSA}, {"RS384", familyRSA}, {"RS512", familyRSA},
	{"ES256", familyP256}, {"ES384", familyP384}, {"ES512", familyP521},
	{"EdDSA", familyEd25519},
}

// The algorithms of the authorizers that name none.
var (
	defaultHTTP = []string{"RS256", "RS384", "RS512"}
	defaultREST = []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"}
)

func familyOfAlgorithm(name string) family {
	for _, a := range algorithms {
		if a.name == name {
			return a.family
		}
	}
	return noFamily
}

// algorithm is one that a verifier accepts.
type algorithm struct {
	name   string
	verify jws.Verifier
}

func compileAlgorithms(names []string) (map[string]algorithm, error) {
	if len(names) == 0 {
		return nil, errors.New("algorithms: none; write RS256 or the like")
	}
	compiled := make(map[string]algorithm, len(names))
	for _, name := range names {
		if familyOfAlgorithm(name) == noFamily {
			return nil, fmt.Errorf("algorithms: %q is not one that is verified; write one of %s", name, universe())
		}
		if _, twice := compiled[name]; twice {
			return nil, fmt.Errorf("algorithms: %s is there twice; remove one", name)
		}
		v, err := jws.NewVerifier(jwa.SignatureAlgorithm(name))
		if err != nil {
			return nil, fmt.Errorf("algorithms: %s: %w", name, err)
		}
		compiled[name] = algorithm{name: name, verify: v}
	}
	return compiled, nil
}

func universe() string {
	names := make([]string, 0, len(algorithms))
	for _, a := range algorithms {
		names = append(names, a.name)
	}
	return strings.Join(slices.Clip(names), ", ")
}
