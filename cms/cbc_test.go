package cms

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/rand"
	"testing"

	"pgregory.net/rapid"
)

// TestCBCSideBySideEqualsTheStandardLibrary: any number of blocks in any pieces, so that some go over several processors.
func TestCBCSideBySideEqualsTheStandardLibrary(t *testing.T) {
	wide, err := aes.NewCipher([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	narrow, err := des.NewTripleDESCipher([]byte("0123456789abcdef01234567"))
	if err != nil {
		t.Fatal(err)
	}
	random := make([]byte, 1<<20)
	rand.Read(random)
	for _, block := range []cipher.Block{wide, narrow} {
		size := block.BlockSize()
		rapid.Check(t, func(t *rapid.T) {
			sealed := bytes.Clone(random[:size*rapid.IntRange(1, 300_000/size).Draw(t, "blocks")])
			want := bytes.Clone(sealed)
			iv := random[len(random)-size:]
			cipher.NewCBCDecrypter(block, iv).CryptBlocks(want, want)
			for rest := sealed; len(rest) > 0; {
				n := size * rapid.IntRange(1, len(rest)/size).Draw(t, "piece")
				iv = decryptCBC(block, iv, rest[:n])
				rest = rest[n:]
			}
			if !bytes.Equal(sealed, want) {
				t.Fatal("differs from the standard library")
			}
		})
	}
}

// BenchmarkCBC is 256 KiB at once: side by side as here, and by the standard library alone.
func BenchmarkCBC(b *testing.B) {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	p, iv := make([]byte, parallelBuffer), make([]byte, aes.BlockSize)
	for name, decrypt := range map[string]func(){
		"side by side":     func() { decryptCBC(block, iv, p) },
		"standard library": func() { cipher.NewCBCDecrypter(block, iv).CryptBlocks(p, p) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				decrypt()
			}
		})
	}
}
