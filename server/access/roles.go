package access

import (
	"slices"
	"strings"

	"chancery.example/fault"
)

// Role is a set of duties that a person or program has in the house.
type Role string

// The roles. What each may do stands in policies.cedar.
const (
	Administrator   Role = "administrator"    // runs the house: settings, accounts, CA
	Specialist      Role = "specialist"       // decides whether claims are proved
	RecoveryOfficer Role = "recovery-officer" // takes part in M-of-N recoveries, and nothing else
	Auditor         Role = "auditor"          // reads everything but secrets, changes nothing
	Requester       Role = "requester"        // orders for others and follows those orders
	Subscriber      Role = "subscriber"       // holds certificates: sees, revokes and renews their own
)

// AllRoles lists every role.
var AllRoles = []Role{Administrator, Specialist, RecoveryOfficer, Auditor, Requester, Subscriber}

// Roles is a set of roles in the order of AllRoles, each once.
type Roles []Role

// ParseRoles reads role names, as forms and the API write them, and refuses names that it does not know and an
// empty list with fault.Invalid.
func ParseRoles(names []string) (Roles, error) {
	var out Roles
	for _, n := range names {
		r := Role(strings.TrimSpace(n))
		if !slices.Contains(AllRoles, r) {
			return nil, fault.New(fault.Invalid, "account.role-unknown", "There is no role %q. The roles are: %s.", n, AllNames()).With("role", n)
		}
		out = append(out, r)
	}
	if len(out) == 0 {
		return nil, fault.New(fault.Invalid, "account.role-missing", "Choose at least one role.")
	}
	return out.sorted(), nil
}

// AllNames is every role's name, for sentences.
func AllNames() string { return Roles(AllRoles).String() }

// Has reports whether the set holds a role.
func (r Roles) Has(role Role) bool { return slices.Contains(r, role) }

// And is the set of the roles that both sets hold.
func (r Roles) And(other Roles) Roles {
	var out Roles
	for _, role := range r {
		if other.Has(role) {
			out = append(out, role)
		}
	}
	return out.sorted()
}

// Covers reports whether r holds every role of other.
func (r Roles) Covers(other Roles) bool { return len(other.And(r)) == len(other.sorted()) }

// Strings is the set as plain names, as it is stored.
func (r Roles) Strings() []string {
	out := make([]string, len(r))
	for i, role := range r {
		out[i] = string(role)
	}
	return out
}

func (r Roles) String() string { return strings.Join(r.Strings(), ", ") }

// sorted is a copy in the order of AllRoles, each role once, without names that are none.
func (r Roles) sorted() Roles {
	var out Roles
	for _, role := range AllRoles {
		if slices.Contains(r, role) {
			out = append(out, role)
		}
	}
	return out
}
