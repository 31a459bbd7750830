package document

import "fmt"

// Limits bounds a policy document.
type Limits struct {
	// Bytes is the length of the document.
	Bytes int
	// Depth is how deep objects and lists may nest.
	Depth int
	// Values is how many values the document may hold.
	Values int
	// Statements is how many statements it may have.
	Statements int
}

// DefaultLimits leaves room for a thousand statements, or a thousand addresses, and more. AWS's own quotas are lower: 2,048
// characters for a user's inline policies and for session policies, 5,120 for a group's and for service and resource
// control policies, 6,144 for a managed policy, 8,192 for an API's resource policy, 10,240 for a role's inline policies,
// 20,480 for a VPC endpoint's. A document that AWS takes is never refused for its size.
func DefaultLimits() Limits {
	return Limits{Bytes: 1 << 20, Depth: 16, Values: 100_000, Statements: 10_000}
}

func (l Limits) WithDefaults() Limits {
	d := DefaultLimits()
	or := func(n, otherwise int) int {
		if n > 0 {
			return n
		}
		return otherwise
	}
	return Limits{
		Bytes: or(l.Bytes, d.Bytes), Depth: or(l.Depth, d.Depth),
		Values: or(l.Values, d.Values), Statements: or(l.Statements, d.Statements),
	}
}

func TooMuch(format string, limit int) string {
	return fmt.Sprintf(format+"; split the policy or raise the limit", limit)
}
