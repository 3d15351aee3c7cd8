package cms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"io"
)

// opener is one content key at work on a content.
type opener interface {
	// absorb takes in more ciphertext, which goes into the spool as well.
	absorb(ciphertext []byte)
	// open returns the plaintext and its length after all ciphertext was absorbed; false if the key does not fit.
	open(e *envelope, s *spool) (io.ReadCloser, int64, bool)
}

// nonceBytes is the size of nonce or IV.
func (c Cipher) nonceBytes() int {
	switch {
	case c.AEAD():
		return gcmNonce
	case c == TripleDESCBC:
		return des.BlockSize
	}
	return aes.BlockSize
}

func newOpener(e *envelope, key []byte) (opener, error) {
	if e.derive != nil {
		var err error
		if key, err = deriveContentKey(key, e.derive); err != nil {
			return nil, err
		}
	}
	if e.cipher == ChaCha20Poly1305 {
		c, err := newChaCha(key, e.nonce, nil)
		return &chachaOpener{c}, err
	}
	if e.cipher == TripleDESCBC {
		block, err := des.NewTripleDESCipher(key)
		return &cbcOpener{block}, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	if !e.cipher.AEAD() {
		return &cbcOpener{block}, nil
	}
	g, err := newGCM(block, e.nonce)
	return &gcmOpener{g}, err
}

type gcmOpener struct{ *gcm }

func (o *gcmOpener) open(e *envelope, s *spool) (io.ReadCloser, int64, bool) {
	if !o.holds(e.additional, e.tag) || !e.sound() {
		return nil, 0, false
	}
	return &plaintext{Reader: cipher.StreamReader{S: o.stream(), R: s.reader()}, spool: s}, s.size, true
}

type cbcOpener struct{ block cipher.Block }

// absorb does nothing: CBC has no tag.
func (o *cbcOpener) absorb([]byte) {}

// open looks at the padding alone (RFC 5652 6.3), which the last two blocks tell.
func (o *cbcOpener) open(e *envelope, s *spool) (io.ReadCloser, int64, bool) {
	size := o.block.BlockSize()
	if s.size == 0 || s.size%int64(size) != 0 {
		return nil, 0, false
	}
	end, err := s.last(2 * size)
	if err != nil {
		return nil, 0, false
	}
	before := e.nonce
	if len(end) == 2*size {
		before = end[:size]
	}
	last := make([]byte, size)
	cipher.NewCBCDecrypter(o.block, before).CryptBlocks(last, end[len(end)-size:])
	padding, ok := paddingOf(last)
	if !ok {
		return nil, 0, false
	}
	length := s.size - int64(padding)
	r := &cbcReader{block: o.block, iv: e.nonce, src: s.reader(), left: length}
	return &plaintext{Reader: r, spool: s}, length, true
}

// paddingOf returns the size of the padding at the end of a block; its time does not depend on what is wrong.
func paddingOf(block []byte) (int, bool) {
	n := int(block[len(block)-1])
	good := subtle.ConstantTimeLessOrEq(1, n) & subtle.ConstantTimeLessOrEq(n, len(block))
	for i := range block {
		inside := subtle.ConstantTimeLessOrEq(len(block)-i, n)
		good &= 1 ^ inside&(1^subtle.ConstantTimeByteEq(block[i], byte(n)))
	}
	return n, good == 1
}

// plaintext is an opened content with the spool that it comes from.
type plaintext struct {
	io.Reader
	spool *spool
}

// Close implements io.Closer.
func (p *plaintext) Close() error { return p.spool.Close() }
