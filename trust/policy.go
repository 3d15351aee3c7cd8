package trust

import (
	"crypto/x509"
	"maps"
	"slices"
)

// anyPolicy is RFC 5280 4.2.1.4's.
const anyPolicy = "2.5.29.32.0"

// maxPolicies bounds the policies and mappings of one certificate.
const maxPolicies = 256

// policyNode is one valid policy at one depth. Other than the tree of RFC 5280 6.1.2 the graph of RFC 9618 has one
// node for each policy and depth, so that nothing grows without bound.
type policyNode struct {
	valid    string
	expected []string
	parents  []*policyNode
}

// policies is the valid_policy_graph with its counters (RFC 9618 5, RFC 5280 6.1.2 d to f). A counter of 0 forbids.
type policies struct {
	level    map[string]*policyNode // the deepest; nil when the graph is NULL
	explicit int
	mapping  int
	inhibit  int
}

// newPolicies are the initial values for a path of n certificates.
func newPolicies(o *Options, n int) *policies {
	start := func(set bool) int {
		if set {
			return 0
		}
		return n + 1
	}
	root := &policyNode{valid: anyPolicy, expected: []string{anyPolicy}}
	return &policies{level: map[string]*policyNode{anyPolicy: root},
		explicit: start(o.ExplicitPolicy), mapping: start(o.InhibitPolicyMapping), inhibit: start(o.InhibitAnyPolicy)}
}

// process takes in the policies of one certificate (RFC 5280 6.1.3 d to f), and reports whether the path may go on.
func (p *policies) process(c *certificate, last bool) bool {
	if len(c.Policies) > maxPolicies || len(c.PolicyMappings) > maxPolicies {
		return false
	}
	if len(c.Policies) == 0 {
		p.level = nil
	}
	if p.level != nil {
		p.level = p.descend(c, p.inhibit > 0 || !last && c.selfIssued())
	}
	return p.explicit > 0 || p.level != nil
}

// descend makes the next depth, or nil when it is empty.
func (p *policies) descend(c *certificate, anyAllowed bool) map[string]*policyNode {
	next := map[string]*policyNode{}
	expecting := map[string][]*policyNode{}
	for _, key := range slices.Sorted(maps.Keys(p.level)) {
		for _, e := range p.level[key].expected {
			expecting[e] = append(expecting[e], p.level[key])
		}
	}
	hasAny := false
	for _, oid := range c.Policies {
		policy := oid.String()
		if policy == anyPolicy {
			hasAny = true
			continue
		}
		parents := expecting[policy]
		if top := p.level[anyPolicy]; len(parents) == 0 && top != nil {
			parents = []*policyNode{top}
		}
		if len(parents) > 0 {
			next[policy] = &policyNode{policy, []string{policy}, parents}
		}
	}
	if hasAny && anyAllowed {
		for policy, parents := range expecting {
			if next[policy] == nil {
				next[policy] = &policyNode{policy, []string{policy}, parents}
			}
		}
	}
	if len(next) == 0 {
		return nil
	}
	return next
}

// prepare gets ready for the next certificate (RFC 5280 6.1.4 a, b and h to j). It reports false when a mapping
// names anyPolicy.
func (p *policies) prepare(c *certificate) bool {
	for _, m := range c.PolicyMappings {
		if m.IssuerDomainPolicy.String() == anyPolicy || m.SubjectDomainPolicy.String() == anyPolicy {
			return false
		}
	}
	if p.level != nil && len(c.PolicyMappings) > 0 {
		p.remap(c)
	}
	if !c.selfIssued() {
		p.explicit, p.mapping, p.inhibit = max(p.explicit-1, 0), max(p.mapping-1, 0), max(p.inhibit-1, 0)
	}
	p.explicit = lower(p.explicit, c.RequireExplicitPolicy, c.RequireExplicitPolicyZero)
	p.mapping = lower(p.mapping, c.InhibitPolicyMapping, c.InhibitPolicyMappingZero)
	p.inhibit = lower(p.inhibit, c.InhibitAnyPolicy, c.InhibitAnyPolicyZero)
	return true
}

// lower is min of a counter and a constraint as crypto/x509 presents it: positive, or zero set, or absent.
func lower(counter, value int, zero bool) int {
	if zero {
		return 0
	}
	if value > 0 {
		return min(counter, value)
	}
	return counter
}

// remap applies policy mappings (RFC 5280 6.1.4 b).
func (p *policies) remap(c *certificate) {
	targets := map[string][]string{}
	for _, m := range c.PolicyMappings {
		from := m.IssuerDomainPolicy.String()
		targets[from] = append(targets[from], m.SubjectDomainPolicy.String())
	}
	for from, to := range targets {
		switch node := p.level[from]; {
		case p.mapping == 0:
			delete(p.level, from)
		case node != nil:
			node.expected = to
		case p.level[anyPolicy] != nil:
			p.level[from] = &policyNode{from, to, p.level[anyPolicy].parents}
		}
	}
	if len(p.level) == 0 {
		p.level = nil
	}
}

// finish is the wrap-up (RFC 5280 6.1.5 a, b and g): the user-constrained-policy-set, and whether the path holds.
func (p *policies) finish(c *certificate, initial []x509.OID) ([]x509.OID, bool) {
	p.explicit = max(p.explicit-1, 0)
	if c.RequireExplicitPolicyZero {
		p.explicit = 0
	}
	set := p.constrained(initial)
	return set, p.explicit > 0 || len(set) > 0
}

// constrained intersects the policies under which the path is valid, in the terms of the anchor's domain, with what
// the user accepts.
func (p *policies) constrained(initial []x509.OID) []x509.OID {
	accepted := map[string]bool{}
	for _, oid := range initial {
		accepted[oid.String()] = true
	}
	everything := len(initial) == 0 || accepted[anyPolicy]
	domain := map[string]bool{}
	visited := map[*policyNode]bool{}
	for _, node := range p.level {
		ascend(node, domain, visited)
	}
	var set []x509.OID
	add := func(policy string) {
		if oid, err := x509.ParseOID(policy); err == nil {
			set = append(set, oid)
		}
	}
	if p.level[anyPolicy] != nil && !everything {
		for policy := range accepted { // any policy of the user's is fine
			domain[policy] = true
		}
		delete(domain, anyPolicy)
	}
	for _, policy := range slices.Sorted(maps.Keys(domain)) {
		if everything || accepted[policy] {
			add(policy)
		}
	}
	return set
}

// ascend collects the topmost policies below anyPolicy from which node descends.
func ascend(node *policyNode, domain map[string]bool, visited map[*policyNode]bool) {
	if visited[node] {
		return
	}
	visited[node] = true
	for _, parent := range node.parents {
		if parent.valid == anyPolicy {
			domain[node.valid] = true
		} else {
			ascend(parent, domain, visited)
		}
	}
}
