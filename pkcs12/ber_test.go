package pkcs12

import (
	"bytes"
	"slices"
	"testing"
)

// toBER rewrites DER as old software would: indefinite lengths, and octet strings in segments of seven octets.
func toBER(t *testing.T, der []byte) []byte {
	t.Helper()
	var out []byte
	for len(der) > 0 {
		tag, content, rest, _, err := readHeader(der)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case tag&0x20 != 0:
			out = append(append(append(out, tag, 0x80), toBER(t, content)...), 0, 0)
		case tag == 0x04 || tag == 0x80:
			out = append(out, tag|0x20, 0x80)
			for segment := range slices.Chunk(content, 7) {
				out = append(out, element(0x04, segment)...)
			}
			out = append(out, 0, 0)
		default:
			out = append(out, tag, 0x84, 0, byte(len(content)>>16), byte(len(content)>>8), byte(len(content))) // longer than needed
			out = append(out, content...)
		}
		der = rest
	}
	return out
}

func TestDecodeBER(t *testing.T) {
	h := makeHouse()
	der, err := writer{"x", Modern, 10}.file([]Identity{h.alice, h.bob})
	if err != nil {
		t.Fatal(err)
	}
	file := toBER(t, der)
	ids, _, err := Decode(file, "x", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) != 2 {
		t.Fatalf("%d identities", len(ids))
	}
	checkIdentity(t, ids[0], h.alice)
	checkIdentity(t, ids[1], h.bob)
	back, err := toDER(file)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := toDER(back); err != nil || !bytes.Equal(again, back) {
		t.Errorf("DER is not left alone: %v", err)
	}
}
