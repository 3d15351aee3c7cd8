package cms

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"testing"

	"pgregory.net/rapid"
)

// TestGCMInPiecesEqualsTheStandardLibrary holds the piecewise GCM against crypto/cipher: any key, nonce, additional
// data and content, cut into any pieces, with the additional data known only at the end.
func TestGCMInPiecesEqualsTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{16, 24, 32}).Draw(t, "key size")
		key := rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "key")
		nonce := rapid.SliceOfN(rapid.Byte(), gcmNonce, gcmNonce).Draw(t, "nonce")
		additional := rapid.SliceOfN(rapid.Byte(), 0, 70).Draw(t, "additional")
		plain := rapid.SliceOfN(rapid.Byte(), 0, 700).Draw(t, "plaintext")
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		standard, err := cipher.NewGCM(block)
		if err != nil {
			t.Fatal(err)
		}
		want := standard.Seal(nil, nonce, plain, additional)

		g, err := newGCM(block, nonce)
		if err != nil {
			t.Fatal(err)
		}
		stream := g.stream()
		var got []byte
		for rest := plain; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			piece := bytes.Clone(rest[:n])
			stream.XORKeyStream(piece, piece)
			before := bytes.Clone(piece)
			g.absorb(piece)
			if !bytes.Equal(before, piece) {
				t.Fatal("absorb changed the ciphertext")
			}
			got = append(got, piece...)
			rest = rest[n:]
		}
		tag := g.sumTag(additional)
		if got = append(got, tag[:]...); !bytes.Equal(got, want) {
			t.Fatalf("got  %x\nwant %x", got, want)
		}
		if !g.holds(additional, tag[:]) || !g.holds(additional, tag[:minGCMTag]) || g.holds(additional, tag[:minGCMTag-1]) {
			t.Fatal("tags of 16 and 12 bytes must hold, shorter ones not")
		}
		tag[rapid.IntRange(0, minGCMTag-1).Draw(t, "altered byte")] ^= 1
		if g.holds(additional, tag[:]) || g.holds(additional, tag[:minGCMTag]) {
			t.Fatal("an altered tag holds")
		}
	})
}

// TestGCMOfLongContent does the same beyond the sizes that rapid draws.
func TestGCMOfLongContent(t *testing.T) {
	block, _ := aes.NewCipher(make([]byte, 32))
	standard, _ := cipher.NewGCM(block)
	nonce := make([]byte, gcmNonce)
	plain := make([]byte, 1<<20+13)
	want := standard.Seal(nil, nonce, plain, []byte("additional"))
	g, err := newGCM(block, nonce)
	if err != nil {
		t.Fatal(err)
	}
	stream := g.stream()
	for rest := plain; len(rest) > 0; rest = rest[min(len(rest), copyBuffer):] {
		piece := rest[:min(len(rest), copyBuffer)]
		stream.XORKeyStream(piece, piece)
		g.absorb(piece)
	}
	if tag := g.sumTag([]byte("additional")); !bytes.Equal(tag[:], want[len(plain):]) || !bytes.Equal(plain, want[:len(plain)]) {
		t.Error("differs from the standard library")
	}
}

func TestFieldArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) field {
			return field{rapid.Uint64().Draw(t, name+" high"), rapid.Uint64().Draw(t, name+" low")}
		}
		a, b, c := draw("a"), draw("b"), draw("c")
		one := field{high: 1 << 63}
		if a.times(b) != b.times(a) || a.times(b).times(c) != a.times(b.times(c)) || a.times(one) != a {
			t.Fatal("multiplication is not that of a field")
		}
		if a.plus(b).times(c) != a.times(c).plus(b.times(c)) {
			t.Fatal("multiplication does not distribute")
		}
		if a.power(5) != a.times(a).times(a).times(a).times(a) || a.power(0) != one {
			t.Fatal("powers are wrong")
		}
	})
}

// TestKeyWrapVectors are those of RFC 3394 4.1, 4.3 and 4.6, and what must not unwrap.
func TestKeyWrapVectors(t *testing.T) {
	kek := []byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f")
	key := []byte("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f")
	for _, v := range []struct {
		kek, key int
		want     string
	}{
		{16, 16, "\x1f\xa6\x8b\x0a\x81\x12\xb4\x47\xae\xf3\x4b\xd8\xfb\x5a\x7b\x82\x9d\x3e\x86\x23\x71\xd2\xcf\xe5"},
		{32, 16, "\x64\xe8\xc3\xf9\xce\x0f\x5b\xa2\x63\xe9\x77\x79\x05\x81\x8a\x2a\x93\xc8\x19\x1e\x7d\x6e\x8a\xe7"},
		{32, 32, "\x28\xc9\xf4\x04\xc4\xb8\x10\xf4\xcb\xcc\xb3\x5c\xfb\x87\xf8\x26\x3f\x57\x86\xe2\xd8\x0e\xd3\x26\xcb\xc7\xf0\xe7\x1a\x99\xf4\x3b\xfb\x98\x8b\x9b\x7a\x02\xdd\x21"},
	} {
		got, err := wrapKey(kek[:v.kek], key[:v.key])
		if err != nil || string(got) != v.want {
			t.Errorf("wrapped to %x, %v", got, err)
		}
		back, ok := unwrapKey(kek[:v.kek], got)
		if !ok || !bytes.Equal(back, key[:v.key]) {
			t.Errorf("unwrapped to %x, %v", back, ok)
		}
		got[3] ^= 1
		if _, ok := unwrapKey(kek[:v.kek], got); ok {
			t.Error("an altered key unwrapped")
		}
	}
}
