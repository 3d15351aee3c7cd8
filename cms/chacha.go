package cms

import (
	"bytes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"io"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/poly1305" //lint:ignore SA1019 the AEAD takes whole messages only; this is its hash, which does not
)

const (
	chachaNonce = chacha20.NonceSize
	chachaTag   = poly1305.TagSize
)

// chacha is ChaCha20-Poly1305 (RFC 8439 2.8, RFC 8103) over a content of any length, piece by piece, which the AEAD of
// golang.org/x/crypto cannot do. The additional data comes first under the tag, and must be known from the beginning.
type chacha struct {
	key, nonce []byte
	mac        *poly1305.MAC
	additional int64 // bytes
	content    int64 // bytes absorbed
}

func newChaCha(key, nonce, additional []byte) (*chacha, error) {
	c, err := chacha20.NewUnauthenticatedCipher(key, nonce)
	if err != nil {
		return nil, err
	}
	var hashKey [32]byte
	c.XORKeyStream(hashKey[:], hashKey[:])
	out := &chacha{key: bytes.Clone(key), nonce: nonce, mac: poly1305.New(&hashKey), additional: int64(len(additional))}
	out.mac.Write(additional)
	out.pad(out.additional)
	return out, nil
}

// pad fills up a part of n bytes to whole blocks.
func (c *chacha) pad(n int64) {
	if over := n % blockBytes; over > 0 {
		c.mac.Write(make([]byte, blockBytes-over))
	}
}

// stream encrypts or decrypts: XOR with the key stream from its beginning.
func (c *chacha) stream() (cipher.Stream, error) {
	s, err := chacha20.NewUnauthenticatedCipher(c.key, c.nonce)
	if err != nil {
		return nil, err
	}
	s.SetCounter(1)
	return s, nil
}

// absorb hashes more ciphertext.
func (c *chacha) absorb(p []byte) {
	c.mac.Write(p)
	c.content += int64(len(p))
}

// sumTag returns the tag over the additional data and all the ciphertext absorbed. It can be asked for once.
func (c *chacha) sumTag() []byte {
	c.pad(c.content)
	var lengths [blockBytes]byte
	binary.LittleEndian.PutUint64(lengths[:], uint64(c.additional))
	binary.LittleEndian.PutUint64(lengths[8:], uint64(c.content))
	c.mac.Write(lengths[:])
	return c.mac.Sum(nil)
}

type chachaOpener struct{ *chacha }

func (o *chachaOpener) open(e *envelope, s *spool) (io.ReadCloser, int64, bool) {
	mac := o.chacha
	if e.additional != nil {
		// The attributes stand behind the content and belong before it under the tag: it is read again, from the spool.
		var err error
		if mac, err = newChaCha(o.key, o.nonce, e.additional); err != nil {
			return nil, 0, false
		}
		buffer := make([]byte, copyBuffer)
		for source := s.reader(); err == nil; {
			var n int
			n, err = source.Read(buffer)
			mac.absorb(buffer[:n])
		}
		if err != io.EOF {
			return nil, 0, false
		}
	}
	if subtle.ConstantTimeCompare(mac.sumTag(), e.tag) != 1 || !e.sound() {
		return nil, 0, false
	}
	stream, err := o.stream()
	if err != nil {
		return nil, 0, false
	}
	return &plaintext{Reader: cipher.StreamReader{S: stream, R: s.reader()}, spool: s}, s.size, true
}
