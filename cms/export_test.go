package cms

import "crypto/rsa"

// Normalize is normalize, for its fuzz target.
var Normalize = normalize

// UnwrapTransport decrypts a content key by PKCS #1 v1.5.
func UnwrapTransport(key *rsa.PrivateKey, encrypted []byte, keyBytes int) ([]byte, bool) {
	return unwrapRSA(key, Algorithm{OID: oidRSA, Parameters: derNull}, encrypted, keyBytes)
}

// Node is an element that tests can take apart, change and put together in any BER form.
type Node struct {
	Tag         uint32 // class<<16 | number
	Constructed bool
	Contents    []byte // of a primitive
	Children    []*Node
}

// ParseNode reads one element of definite length.
func ParseNode(p []byte) *Node {
	e, ok := parseElement(p)
	if !ok {
		return nil
	}
	n := &Node{Tag: uint32(e.tag), Constructed: e.constructed}
	if !e.constructed {
		n.Contents = e.contents
		return n
	}
	for rest := e.contents; len(rest) > 0; {
		child, ok := parseElement(rest)
		if !ok {
			return nil
		}
		n.Children = append(n.Children, ParseNode(child.whole))
		rest = child.rest
	}
	return n
}

// DER encodes with definite lengths.
func (n *Node) DER() []byte {
	if !n.Constructed {
		return simple(tag(n.Tag), n.Contents)
	}
	var parts [][]byte
	for _, c := range n.Children {
		parts = append(parts, c.DER())
	}
	return constructed(tag(n.Tag), parts...)
}

// BER encodes with indefinite lengths, lengths in more octets than needed, and OCTET STRINGs in pieces within pieces. What
// within says yes to stays DER: certificates, for example, are only DER.
func (n *Node) BER(keep func(*Node) bool) []byte {
	if keep(n) {
		return n.DER()
	}
	indefinite := header{tag: tag(n.Tag), constructed: true, length: -1}
	out := appendHeader(nil, indefinite)
	switch {
	case n.Constructed:
		for _, c := range n.Children {
			out = append(out, c.BER(keep)...)
		}
	case tag(n.Tag) == tagOctetString || tag(n.Tag) == context(0) && len(n.Contents) > 32:
		half := len(n.Contents) / 2
		out = append(out, 0x24, 0x80)
		out = append(out, simple(tagOctetString, n.Contents[:half])...)
		out = append(out, simple(tagOctetString)...)
		out = append(out, 0, 0)
		out = append(out, 0x04, 0x84, 0, 0, byte((len(n.Contents)-half)>>8), byte(len(n.Contents)-half))
		out = append(out, n.Contents[half:]...)
	default:
		return n.DER()
	}
	return append(out, 0, 0)
}
