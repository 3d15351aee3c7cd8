package cms

// element is one parsed element of a piece of memory. Its whole and contents alias the input.
type element struct {
	header
	whole    []byte
	contents []byte
	rest     []byte // what follows it
}

// parseElement reads the header of the first element of definite length in p.
func parseElement(p []byte) (element, bool) {
	h, n, ok := memoryHeader(p)
	if !ok || h.length < 0 || h.length > int64(len(p)-n) {
		return element{}, false
	}
	end := n + int(h.length)
	return element{header: h, whole: p[:end:end], contents: p[n:end:end], rest: p[end:]}, true
}

// memoryHeader reads identifier and length octets at the beginning of p and returns their size.
func memoryHeader(p []byte) (header, int, bool) {
	if len(p) < 2 {
		return header{}, 0, false
	}
	h := header{constructed: p[0]&0x20 != 0}
	number, i := int(p[0]&0x1f), 1
	if number == 0x1f {
		number = 0
		for {
			if i >= len(p) || number > maxTagNumber>>7 {
				return header{}, 0, false
			}
			c := p[i]
			i++
			number = number<<7 | int(c&0x7f)
			if c&0x80 == 0 {
				break
			}
		}
	}
	h.tag = tag(p[0]>>6)<<16 | tag(number)
	if i >= len(p) {
		return header{}, 0, false
	}
	c := p[i]
	i++
	switch {
	case c < 0x80:
		h.length = int64(c)
		return h, i, true
	case c == 0x80:
		h.length = -1
		return h, i, h.constructed
	case c&0x7f > 8 || int(c&0x7f) > len(p)-i:
		return header{}, 0, false
	}
	var v uint64
	for range c & 0x7f {
		v = v<<8 | uint64(p[i])
		i++
	}
	h.length = int64(v)
	return h, i, v <= 1<<60
}

// normalize returns a whole BER element with definite, shortest lengths and strings in one piece. The order of sets stays
// as it came: what was signed may be in an order that DER would not have.
func normalize(p []byte, depth int) ([]byte, error) {
	if isNormal(p, depth) {
		return p, nil
	}
	out, rest, ok := appendNormal(make([]byte, 0, len(p)), p, depth)
	if !ok || len(rest) != 0 {
		return nil, malformed("an element within it cannot be read")
	}
	return out, nil
}

// isNormal tells whether normalize would change nothing.
func isNormal(p []byte, depth int) bool {
	for len(p) > 0 {
		e, ok := parseElement(p)
		if !ok || depth == 0 {
			return false
		}
		if int64(len(e.whole)-len(e.contents)) != headerLength(e.tag, e.length) {
			return false
		}
		if e.constructed && (isString(e.tag) || !isNormal(e.contents, depth-1)) {
			return false
		}
		p = e.rest
	}
	return true
}

// isString tells whether t is a universal type that BER lets come in pieces.
func isString(t tag) bool {
	switch t {
	case tagBitString, tagOctetString, 12, 18, 19, 20, 21, 22, 25, 26, 27, 28, 30:
		return true
	}
	return false
}

// appendNormal appends the first element of p in normal form and returns what follows it in p.
func appendNormal(dst, p []byte, depth int) (out, rest []byte, ok bool) {
	h, n, ok := memoryHeader(p)
	if !ok || depth == 0 || h.tag == 0 {
		return nil, nil, false
	}
	p = p[n:]
	inner := p
	if h.length >= 0 {
		if h.length > int64(len(p)) {
			return nil, nil, false
		}
		inner, rest = p[:h.length], p[h.length:]
	}
	if !h.constructed {
		return append(appendHeader(dst, h), inner...), rest, true
	}
	var contents []byte
	for {
		if h.length < 0 && len(inner) >= 2 && inner[0] == 0 && inner[1] == 0 {
			rest = inner[2:]
			break
		}
		if len(inner) == 0 {
			if h.length < 0 {
				return nil, nil, false
			}
			break
		}
		if isString(h.tag) {
			contents, inner, ok = appendPiece(contents, inner, h.tag, depth-1)
		} else {
			contents, inner, ok = appendNormal(contents, inner, depth-1)
		}
		if !ok {
			return nil, nil, false
		}
	}
	h.length = int64(len(contents))
	h.constructed = !isString(h.tag)
	return append(appendHeader(dst, h), contents...), rest, true
}

// appendPiece appends the contents of a piece of a string to what came before it.
func appendPiece(contents, p []byte, outer tag, depth int) (out, rest []byte, ok bool) {
	whole, rest, ok := appendNormal(nil, p, depth)
	if !ok {
		return nil, nil, false
	}
	e, ok := parseElement(whole)
	if !ok || (e.tag != outer && e.tag != tagOctetString) {
		return nil, nil, false
	}
	if outer != tagBitString {
		return append(contents, e.contents...), rest, true
	}
	// Each piece of a BIT STRING begins with its number of unused bits, which may differ from 0 in the last one only.
	if len(e.contents) == 0 || (len(contents) > 0 && contents[0] != 0) {
		return nil, nil, false
	}
	if len(contents) == 0 {
		return append(contents, e.contents...), rest, true
	}
	contents[0] = e.contents[0]
	return append(contents, e.contents[1:]...), rest, true
}
