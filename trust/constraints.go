package trust

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/net/idna"
)

// maxComparisons bounds how often a name is held against a constraint in one evaluation.
const maxComparisons = 1 << 20

var errTooManyComparisons = errors.New("more name constraints than can be looked at")

// constraints is one NameConstraints extension (RFC 5280 4.2.1.10).
type constraints struct {
	permitted, excluded []generalName
}

// parseConstraints reads NameConstraints.
func parseConstraints(der []byte) (*constraints, error) {
	s := cryptobyte.String(der)
	var seq cryptobyte.String
	if !s.ReadASN1(&seq, casn1.SEQUENCE) || !s.Empty() {
		return nil, errors.New("the name constraints are malformed")
	}
	c := &constraints{}
	for i, list := range []*[]generalName{&c.permitted, &c.excluded} {
		var subtrees cryptobyte.String
		var present bool
		if !seq.ReadOptionalASN1(&subtrees, &present, casn1.Tag(i).ContextSpecific().Constructed()) {
			return nil, errors.New("the name constraints are malformed")
		}
		for !subtrees.Empty() {
			var subtree cryptobyte.String
			if len(*list) == maxNames || !subtrees.ReadASN1(&subtree, casn1.SEQUENCE) {
				return nil, errors.New("the name constraints are malformed or too many")
			}
			base, err := readGeneralName(&subtree)
			if err != nil {
				return nil, err
			}
			// minimum must be 0 (which DER leaves out) and maximum absent: RFC 5280 4.2.1.10
			if !subtree.Empty() {
				return nil, errors.New("a name constraint has a minimum or maximum, which RFC 5280 forbids")
			}
			*list = append(*list, base)
		}
	}
	if !seq.Empty() || len(c.permitted)+len(c.excluded) == 0 {
		return nil, errors.New("the name constraints are malformed or empty")
	}
	return c, nil
}

// allow says which of the names breaks c, or "" when none does. budget counts comparisons down.
func (c *constraints) allow(names []generalName, budget *int) (string, error) {
	if *budget -= len(names) * (len(c.permitted) + len(c.excluded)); *budget < 0 {
		return "", errTooManyComparisons
	}
	for _, n := range names {
		kind := constrainedAs(n.kind)
		governed, ok := false, false
		for _, p := range c.permitted {
			if constrainedAs(p.kind) != kind {
				continue
			}
			governed = true
			match, err := matches(n, p)
			if err != nil {
				return "", err
			}
			ok = ok || match
		}
		if governed && !ok {
			return n.String() + " is not among the names that an issuer on the way may certify", nil
		}
		for _, e := range c.excluded {
			if constrainedAs(e.kind) != kind {
				continue
			}
			match, err := matches(n, e)
			if err != nil {
				return "", err
			}
			if match {
				return n.String() + " is among the names that an issuer on the way may not certify", nil
			}
		}
	}
	return "", nil
}

// constrainedAs is the kind whose constraints govern a name: those on rfc822Name govern SmtpUTF8Mailbox too
// (RFC 9598 6).
func constrainedAs(kind int) int {
	if kind == kindSmtpUTF8 {
		return kindEmail
	}
	return kind
}

// String is the name as a person reads it.
func (g generalName) String() string {
	switch g.kind {
	case kindDirectory:
		return "the subject name"
	case kindIP:
		return "the address " + net.IP(g.raw).String()
	case kindEmail, kindDNS, kindURI, kindSmtpUTF8:
		return fmt.Sprintf("the name %q", g.text)
	}
	return "a name of an unusual kind"
}

// matches reports whether n lies within the subtree of base. A kind that we cannot compare is an error, since the
// constraint may not be passed over (RFC 5280 4.2.1.10).
func matches(n, base generalName) (bool, error) {
	switch constrainedAs(n.kind) {
	case kindEmail:
		return matchesEmail(n.text, base.text), nil
	case kindDNS:
		return matchesDNS(n.text, base.text), nil
	case kindDirectory:
		return n.dn.within(base.dn), nil
	case kindURI:
		return matchesURI(n.text, base.text)
	case kindIP:
		return matchesIP(n.raw, base.raw), nil
	}
	return false, errors.New("a name constraint is of a kind that is not known here")
}

// matchesEmail compares a mailbox with "user@host", "host" or ".domain". Hosts are compared as A-labels in lower
// case (RFC 9598 5), local parts exactly.
func matchesEmail(mailbox, base string) bool {
	at := strings.LastIndexByte(mailbox, '@')
	if at < 0 {
		return false
	}
	local, host := mailbox[:at], hostOf(mailbox[at+1:])
	if at := strings.LastIndexByte(base, '@'); at >= 0 {
		return local == base[:at] && host == hostOf(base[at+1:])
	}
	if strings.HasPrefix(base, ".") {
		return strings.HasSuffix(host, hostOf(base)) && len(host) > len(base)
	}
	return base == "" || host == hostOf(base)
}

// hostOf is a host name as it is compared: lower case, A-labels.
func hostOf(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			if a, err := idna.Lookup.ToASCII(s); err == nil {
				return a
			}
			break
		}
	}
	return strings.ToLower(s)
}

func matchesDNS(host, base string) bool {
	host, base = hostOf(host), hostOf(base)
	if base == "" || host == base {
		return true
	}
	return strings.HasSuffix(host, "."+strings.TrimPrefix(base, "."))
}

// matchesURI compares the host of a URI with "host" or ".domain". A URI without a host name breaks the constraint
// (RFC 5280 4.2.1.10).
func matchesURI(uri, base string) (bool, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Hostname() == "" || net.ParseIP(u.Hostname()) != nil {
		return false, errors.New("a URI without a host name cannot be held against a name constraint")
	}
	host := hostOf(u.Hostname())
	if strings.HasPrefix(base, ".") {
		return strings.HasSuffix(host, hostOf(base)), nil
	}
	return host == hostOf(base), nil
}

func matchesIP(ip, base []byte) bool {
	if len(base) != 2*len(ip) {
		return false
	}
	for i := range ip {
		if (ip[i]^base[i])&base[len(ip)+i] != 0 {
			return false
		}
	}
	return true
}
