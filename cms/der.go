package cms

import (
	"bytes"
	"math/big"
	"slices"
	"strconv"
)

// appendHeader appends identifier and length octets in their shortest form; length -1 is the indefinite one.
func appendHeader(dst []byte, h header) []byte {
	id := byte(h.tag>>16) << 6
	if h.constructed {
		id |= 0x20
	}
	if number := uint32(h.tag & 0xffff); number < 0x1f {
		dst = append(dst, id|byte(number))
	} else {
		dst = appendBase128(append(dst, id|0x1f), uint64(number))
	}
	switch {
	case h.length < 0:
		return append(dst, 0x80)
	case h.length < 0x80:
		return append(dst, byte(h.length))
	}
	n := 0
	for v := h.length; v > 0; v >>= 8 {
		n++
	}
	dst = append(dst, 0x80|byte(n))
	for i := n - 1; i >= 0; i-- {
		dst = append(dst, byte(h.length>>(8*i)))
	}
	return dst
}

func appendBase128(dst []byte, v uint64) []byte {
	n := 1
	for x := v >> 7; x > 0; x >>= 7 {
		n++
	}
	for i := n - 1; i >= 0; i-- {
		c := byte(v>>(7*i)) & 0x7f
		if i > 0 {
			c |= 0x80
		}
		dst = append(dst, c)
	}
	return dst
}

// headerLength is how many bytes appendHeader writes.
func headerLength(t tag, length int64) int64 {
	return int64(len(appendHeader(nil, header{tag: t, length: length})))
}

// constructed returns a constructed element that holds parts.
func constructed(t tag, parts ...[]byte) []byte { return assemble(t, true, parts) }

// simple returns a primitive element with the contents given.
func simple(t tag, contents ...[]byte) []byte { return assemble(t, false, contents) }

func assemble(t tag, constructed bool, parts [][]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out := appendHeader(make([]byte, 0, n+8), header{tag: t, constructed: constructed, length: int64(n)})
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// setOf returns a SET OF in DER: its members sorted, X.690 11.6.
func setOf(t tag, members [][]byte) []byte {
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, bytes.Compare)
	return constructed(t, sorted...)
}

func derInteger(n int64) []byte { return derBig(big.NewInt(n)) }

// derBig returns a non-negative INTEGER.
func derBig(n *big.Int) []byte {
	p := n.Bytes()
	if n.Sign() < 0 {
		// Negative serial numbers exist in old certificates; two's complement keeps them findable.
		bits := n.BitLen()/8 + 1
		p = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(bits*8))).Bytes()
		return simple(tagInteger, p)
	}
	if len(p) == 0 || p[0]&0x80 != 0 {
		p = append([]byte{0}, p...)
	}
	return simple(tagInteger, p)
}

// derOID returns an OBJECT IDENTIFIER, or nil if o is malformed.
func derOID(o OID) []byte {
	id := o.components()
	if id == nil || id[0] > 2 || (id[0] < 2 && id[1] > 39) {
		return nil
	}
	p := appendBase128(nil, uint64(id[0])*40+uint64(id[1]))
	for _, n := range id[2:] {
		p = appendBase128(p, uint64(n))
	}
	return simple(tagOID, p)
}

// parseOID reads the contents of an OBJECT IDENTIFIER.
func parseOID(p []byte) (OID, bool) {
	if len(p) == 0 || len(p) > maxOIDBytes || p[len(p)-1]&0x80 != 0 {
		return "", false
	}
	out := make([]byte, 0, 32)
	var n uint64
	start := true
	for _, c := range p {
		if start && c == 0x80 || n >= 1<<55 {
			return "", false
		}
		n = n<<7 | uint64(c&0x7f)
		start = c&0x80 == 0
		if !start {
			continue
		}
		if len(out) == 0 {
			first := min(n/40, 2)
			out = strconv.AppendUint(out, first, 10)
			n -= first * 40
		}
		out = strconv.AppendUint(append(out, '.'), n, 10)
		n = 0
	}
	return OID(out), true
}

// der returns the AlgorithmIdentifier: RFC 5280 4.1.1.2.
func (a Algorithm) der() []byte { return a.derAs(tagSequence) }

func (a Algorithm) derAs(t tag) []byte { return constructed(t, derOID(a.OID), a.Parameters) }

var derNull = []byte{0x05, 0x00}
