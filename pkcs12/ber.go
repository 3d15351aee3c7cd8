package pkcs12

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"
)

// maxDepth bounds the nesting of what is read. A real file needs about 12.
const maxDepth = 32

var errBER = errors.New("not well-formed BER")

// toDER rewrites one BER element (X.690 8) as far as DER readers need: lengths are definite and minimal, and
// octet strings primitive. Trailing octets are refused. Old Netscape, Java and Apple software writes BER.
func toDER(in []byte) ([]byte, error) {
	out, rest, err := rewrite(in, 0)
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 {
		return nil, errBER
	}
	return out, nil
}

// rewrite converts the first element of in.
func rewrite(in []byte, depth int) (out, rest []byte, err error) {
	if depth > maxDepth {
		return nil, nil, errors.New("BER nested too deeply")
	}
	tag, content, rest, indefinite, err := readHeader(in)
	if err != nil {
		return nil, nil, err
	}
	if tag&0x20 == 0 {
		if indefinite {
			return nil, nil, errBER
		}
		return element(tag, content), rest, nil
	}
	var body []byte
	for {
		if indefinite {
			if len(content) >= 2 && content[0] == 0 && content[1] == 0 {
				rest = content[2:]
				break
			}
		} else if len(content) == 0 {
			break
		}
		var child []byte
		if child, content, err = rewrite(content, depth+1); err != nil {
			return nil, nil, err
		}
		body = append(body, child...)
	}
	if tag == 0x24 { // an octet string in segments
		if body, err = joinSegments(body); err != nil {
			return nil, nil, err
		}
		tag = 0x04
	}
	return element(tag, body), rest, nil
}

// joinSegments concatenates the contents of primitive octet strings.
func joinSegments(body []byte) ([]byte, error) {
	var joined []byte
	for s := cryptobyte.String(body); !s.Empty(); {
		var segment cryptobyte.String
		if !s.ReadASN1(&segment, 0x04) {
			return nil, errBER
		}
		joined = append(joined, segment...)
	}
	return joined, nil
}

// readHeader parts the first element's tag and content. With an indefinite length, content is all that follows.
func readHeader(in []byte) (tag byte, content, rest []byte, indefinite bool, err error) {
	if len(in) < 2 || in[0]&0x1f == 0x1f {
		return 0, nil, nil, false, errBER
	}
	tag, length := in[0], int(in[1])
	in = in[2:]
	switch {
	case length == 0x80:
		return tag, in, nil, true, nil
	case length > 0x80:
		n := length & 0x7f
		if n > 4 || len(in) < n {
			return 0, nil, nil, false, errBER
		}
		length = 0
		for _, b := range in[:n] {
			length = length<<8 | int(b)
		}
		in = in[n:]
	}
	if length < 0 || length > len(in) {
		return 0, nil, nil, false, errBER
	}
	return tag, in[:length], in[length:], false, nil
}

// element writes tag, minimal length and content.
func element(tag byte, content []byte) []byte {
	out := make([]byte, 0, len(content)+6)
	out = append(out, tag)
	switch n := len(content); {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 1<<8:
		out = append(out, 0x81, byte(n))
	case n < 1<<16:
		out = append(out, 0x82, byte(n>>8), byte(n))
	case n < 1<<24:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	default:
		out = append(out, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(out, content...)
}
