package access

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// maxHops bounds how many entries of X-Forwarded-For are looked at.
const maxHops = 16

// Client is where a request came from, for limits, lists and the audit log.
type Client struct {
	Address netip.Addr `json:"address"` // invalid on the socket in the data directory
	Agent   string     `json:"agent"`   // User-Agent, cut to 200 bytes
}

// Key is what limits count by: the address, or its network of 64 bits in IPv6, of which every customer has one and
// may use any address.
func (c Client) Key() string {
	a := c.Address.Unmap()
	if !a.IsValid() {
		return "socket"
	}
	if a.Is4() {
		return a.String()
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return a.String()
	}
	return p.String()
}

// clients tells who the client of a request is.
type clients struct {
	trusted []netip.Prefix
}

// of is the peer of the connection, or, when that is a trusted proxy, the last address of X-Forwarded-For that is not
// one. What stands left of it was written by the client and may be anything.
func (c clients) of(r *http.Request) Client {
	address := parseAddr(r.RemoteAddr)
	if c.trusts(address) {
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if len(hops) > maxHops {
			hops = hops[len(hops)-maxHops:]
		}
		for _, hop := range slices.Backward(hops) {
			a := parseAddr(strings.TrimSpace(hop))
			if !a.IsValid() {
				break
			}
			address = a
			if !c.trusts(a) {
				break
			}
		}
	}
	agent := strings.ToValidUTF8(r.UserAgent(), "\uFFFD")
	if len(agent) > 200 {
		agent = strings.ToValidUTF8(agent[:200], "")
	}
	return Client{Address: address, Agent: agent}
}

func (c clients) trusts(a netip.Addr) bool {
	return a.IsValid() && slices.ContainsFunc(c.trusted, func(p netip.Prefix) bool { return p.Contains(a) })
}

// parseAddr reads an address with or without a port, as IPv4 where it is one; invalid where it is none.
func parseAddr(s string) netip.Addr {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}
