package cms

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

const (
	blockBytes = 16 // of AES and GHASH
	gcmNonce   = 12 // bytes of a nonce: RFC 5084 3.2
	gcmTag     = 16 // bytes of a tag as written
	minGCMTag  = 12 // bytes of the shortest tag that is read: RFC 5084 3.2
)

// field is an element of GF(2^128) as GCM numbers its bits: NIST SP 800-38D 6.3.
type field struct{ high, low uint64 }

func fieldOf(p []byte) field {
	return field{binary.BigEndian.Uint64(p), binary.BigEndian.Uint64(p[8:])}
}

func (f field) put(p []byte) {
	binary.BigEndian.PutUint64(p, f.high)
	binary.BigEndian.PutUint64(p[8:], f.low)
}

func (f field) plus(g field) field { return field{f.high ^ g.high, f.low ^ g.low} }

// times multiplies without branches or table look-ups, since both may be secret.
func (f field) times(g field) field {
	var z field
	for i := range 128 {
		var bit uint64
		if i < 64 {
			bit = f.high >> (63 - i) & 1
		} else {
			bit = f.low >> (127 - i) & 1
		}
		z.high ^= g.high & -bit
		z.low ^= g.low & -bit
		carry := g.low & 1
		g.low = g.low>>1 | g.high<<63
		g.high = g.high>>1 ^ 0xe1<<56&-carry
	}
	return z
}

// power raises f to the n-th power.
func (f field) power(n uint64) field {
	out := field{high: 1 << 63} // one
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			out = out.times(f)
		}
		f = f.times(f)
	}
	return out
}

// gcm is AES-GCM (NIST SP 800-38D) over a content of any length, piece by piece, which the standard library's AEAD cannot
// do. Encryption is counter mode. The hash over the ciphertext comes at the speed of the hardware from the standard
// AEAD: sealing nothing with n blocks A1 … An as additional data gives
//
//	tag = E(J0) + (GHASH(A1 … An) + lengths) · H
//
// and from that of A1 … An-1 follows GHASH(A1 … An) with one multiplication of our own. What was hashed before is added
// to A1.
type gcm struct {
	aead   cipher.AEAD
	block  cipher.Block
	nonce  []byte
	h      field            // the hash key
	mask   field            // E(J0)
	sum    field            // GHASH of the ciphertext so far
	blocks uint64           // that sum covers
	bytes  int64            // that sum covers
	tail   [blockBytes]byte // beginning of a block that is not yet complete
}

func newGCM(block cipher.Block, nonce []byte) (*gcm, error) {
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	g := &gcm{aead: aead, block: block, nonce: nonce}
	var p [blockBytes]byte
	block.Encrypt(p[:], p[:])
	g.h = fieldOf(p[:])
	block.Encrypt(p[:], g.counter(1))
	g.mask = fieldOf(p[:])
	return g, nil
}

// counter returns the counter block that follows the nonce.
func (g *gcm) counter(n uint32) []byte {
	return binary.BigEndian.AppendUint32(append(make([]byte, 0, blockBytes), g.nonce...), n)
}

// stream encrypts or decrypts: XOR with the key stream from its beginning.
func (g *gcm) stream() cipher.Stream { return cipher.NewCTR(g.block, g.counter(2)) }

// absorb hashes more ciphertext. It changes p while it works and puts it back.
func (g *gcm) absorb(p []byte) {
	have := int(g.bytes % blockBytes)
	g.bytes += int64(len(p))
	if have > 0 {
		n := copy(g.tail[have:], p)
		p = p[n:]
		if have+n < blockBytes {
			return
		}
		g.sum = g.fold(g.sum, g.tail[:])
		g.blocks++
	}
	whole := len(p) / blockBytes * blockBytes
	if whole > 0 {
		g.sum = g.fold(g.sum, p[:whole])
		g.blocks += uint64(whole / blockBytes)
	}
	copy(g.tail[:], p[whole:])
}

// fold returns GHASH of whole blocks after sum.
func (g *gcm) fold(sum field, p []byte) field {
	last := fieldOf(p[len(p)-blockBytes:])
	p = p[:len(p)-blockBytes]
	if len(p) == 0 {
		return sum.plus(last).times(g.h)
	}
	first := fieldOf(p)
	first.plus(sum).put(p)
	var tag [blockBytes]byte
	g.aead.Seal(tag[:0], g.nonce, nil, p)
	first.put(p)
	lengths := field{high: uint64(len(p)) * 8}
	return fieldOf(tag[:]).plus(g.mask).plus(lengths.plus(last).times(g.h))
}

// sumTag returns the tag over additional data and all the ciphertext absorbed. The additional data may come last, as authAttrs
// do: their hash is moved in front by the power of H that the ciphertext takes.
func (g *gcm) sumTag(additional []byte) [blockBytes]byte {
	sum, blocks := g.sum, g.blocks
	if have := int(g.bytes % blockBytes); have > 0 {
		var last [blockBytes]byte
		copy(last[:], g.tail[:have])
		sum = g.fold(sum, last[:])
		blocks++
	}
	if len(additional) > 0 {
		padded := make([]byte, (len(additional)+blockBytes-1)/blockBytes*blockBytes)
		copy(padded, additional)
		sum = sum.plus(g.fold(field{}, padded).times(g.h.power(blocks)))
	}
	lengths := field{high: uint64(len(additional)) * 8, low: uint64(g.bytes) * 8}
	var tag [blockBytes]byte
	sum.plus(lengths).times(g.h).plus(g.mask).put(tag[:])
	return tag
}

// holds tells in constant time whether tag, which may be a shortened one, is right.
func (g *gcm) holds(additional, tag []byte) bool {
	want := g.sumTag(additional)
	if len(tag) < minGCMTag || len(tag) > gcmTag {
		return false
	}
	return subtle.ConstantTimeCompare(want[:len(tag)], tag) == 1
}
