package cms

import (
	"bytes"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
	"pgregory.net/rapid"
)

// TestChaChaInPiecesEqualsTheAEAD holds the piecewise ChaCha20-Poly1305 against that of golang.org/x/crypto.
func TestChaChaInPiecesEqualsTheAEAD(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key")
		nonce := rapid.SliceOfN(rapid.Byte(), chachaNonce, chachaNonce).Draw(t, "nonce")
		additional := rapid.SliceOfN(rapid.Byte(), 0, 70).Draw(t, "additional")
		plain := rapid.SliceOfN(rapid.Byte(), 0, 700).Draw(t, "plaintext")
		whole, err := chacha20poly1305.New(key)
		if err != nil {
			t.Fatal(err)
		}
		want := whole.Seal(nil, nonce, plain, additional)
		c, err := newChaCha(key, nonce, additional)
		if err != nil {
			t.Fatal(err)
		}
		stream, err := c.stream()
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for rest := plain; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			piece := bytes.Clone(rest[:n])
			stream.XORKeyStream(piece, piece)
			c.absorb(piece)
			got = append(got, piece...)
			rest = rest[n:]
		}
		if got = append(got, c.sumTag()...); !bytes.Equal(got, want) {
			t.Fatalf("got  %x\nwant %x", got, want)
		}
	})
}
