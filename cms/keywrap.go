package cms

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"slices"
)

// wrapTable tells the key size of each AES key wrap: RFC 3565 2.3.2.
var wrapTable = [...]struct {
	oid      OID
	keyBytes int
}{{oidAES128Wrap, 16}, {oidAES192Wrap, 24}, {oidAES256Wrap, 32}}

// wrapFor returns the key wrap to write for a content key: the weakest that is no weaker than it.
func wrapFor(contentKey []byte) (alg Algorithm, keyBytes int) {
	for _, w := range wrapTable {
		if alg, keyBytes = (Algorithm{OID: w.oid}), w.keyBytes; keyBytes >= len(contentKey) {
			break
		}
	}
	return alg, keyBytes
}

// wrapKeyBytes returns the key size of an AES key wrap, whose parameters are absent (QUIRK: or NULL); 0 if it is none.
func wrapKeyBytes(a Algorithm) int {
	for _, w := range wrapTable {
		if a.OID == w.oid && (a.Parameters == nil || string(a.Parameters) == string(derNull)) {
			return w.keyBytes
		}
	}
	return 0
}

// oidTripleDESWrap is only read: RFC 3370 4.3.1.
const oidTripleDESWrap OID = "1.2.840.113549.1.9.16.3.6"

const wrapIV = 0xa6a6a6a6a6a6a6a6 // RFC 3394 2.2.3.1

// wrapKey wraps a key of whole 8-byte words: RFC 3394 2.2.1.
func wrapKey(kek, key []byte) ([]byte, error) {
	block, err := aes.NewCipher(kek)
	if err != nil {
		return nil, err
	}
	n := len(key) / 8
	out := make([]byte, 8+len(key))
	copy(out[8:], key)
	var b [blockBytes]byte
	binary.BigEndian.PutUint64(b[:], wrapIV)
	for j := range 6 {
		for i := 1; i <= n; i++ {
			copy(b[8:], out[8*i:])
			block.Encrypt(b[:], b[:])
			binary.BigEndian.PutUint64(b[:], binary.BigEndian.Uint64(b[:])^uint64(n*j+i))
			copy(out[8*i:8*i+8], b[8:])
		}
	}
	copy(out, b[:8])
	return out, nil
}

// unwrapKey undoes wrapKey; false if the key was not wrapped by kek: RFC 3394 2.2.2.
func unwrapKey(kek, wrapped []byte) ([]byte, bool) {
	block, err := aes.NewCipher(kek)
	if err != nil || len(wrapped)%8 != 0 || len(wrapped) < 24 || len(wrapped) > 8+64 {
		return nil, false
	}
	n := len(wrapped)/8 - 1
	out := append([]byte(nil), wrapped[8:]...)
	var b [blockBytes]byte
	copy(b[:8], wrapped)
	for j := 5; j >= 0; j-- {
		for i := n; i >= 1; i-- {
			binary.BigEndian.PutUint64(b[:], binary.BigEndian.Uint64(b[:])^uint64(n*j+i))
			copy(b[8:], out[8*(i-1):])
			block.Decrypt(b[:], b[:])
			copy(out[8*(i-1):8*i], b[8:])
		}
	}
	want := binary.BigEndian.AppendUint64(nil, wrapIV)
	return out, subtle.ConstantTimeCompare(b[:8], want) == 1
}

// tripleDESWrapIV is the fixed vector of the outer encryption: RFC 3217 3.1.
var tripleDESWrapIV = []byte{0x4a, 0xdd, 0xa2, 0x2c, 0x79, 0xe8, 0x21, 0x05}

// unwrapTripleDES unwraps a Triple DES key of old mail: RFC 3217 3.2.
func unwrapTripleDES(kek, wrapped []byte) ([]byte, bool) {
	const keyBytes = 24
	if len(kek) != keyBytes || len(wrapped) != 2*des.BlockSize+keyBytes {
		return nil, false
	}
	block, err := des.NewTripleDESCipher(kek)
	if err != nil {
		return nil, false
	}
	p := bytes.Clone(wrapped)
	cipher.NewCBCDecrypter(block, tripleDESWrapIV).CryptBlocks(p, p)
	slices.Reverse(p)
	iv, p := p[:des.BlockSize], p[des.BlockSize:]
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(p, p)
	key, check := p[:keyBytes], p[keyBytes:]
	sum := sha1.Sum(key)
	return key, subtle.ConstantTimeCompare(sum[:len(check)], check) == 1
}
