package pkcs12

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxSalt bounds a salt, in octets. Software in use writes 8 to 64.
const maxSalt = 1024

var (
	errMalformed = errors.New("not the structure that RFC 7292 describes")
	errPadding   = errors.New("does not decrypt")
)

// unsupported is an algorithm that we do not know.
type unsupported struct{ what string }

func (u unsupported) Error() string { return "unsupported " + u.what }

// readAlgorithm reads an AlgorithmIdentifier. params is empty when there are none.
func readAlgorithm(s *cryptobyte.String) (oid asn1.ObjectIdentifier, params cryptobyte.String, err error) {
	var alg cryptobyte.String
	if !s.ReadASN1(&alg, casn1.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&oid) {
		return nil, nil, errMalformed
	}
	return oid, alg, nil
}

// decrypt opens what an AlgorithmIdentifier of PBES1 (RFC 7292 C) or PBES2 (RFC 8018 6.2) sealed.
func decrypt(alg cryptobyte.String, sealed []byte, pw secret, b *budget) ([]byte, error) {
	oid, params, err := readAlgorithm(&alg)
	if err != nil {
		return nil, err
	}
	var block cipher.Block
	var iv []byte
	if oid.Equal(oidPBES2) {
		block, iv, err = openPBES2(params, pw, b)
	} else {
		block, iv, err = openPBES1(oid, params, pw, b)
	}
	if err != nil {
		return nil, err
	}
	size := block.BlockSize()
	if len(sealed) == 0 || len(sealed)%size != 0 {
		return nil, errMalformed
	}
	plain := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, sealed)
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > size || !bytes.Equal(plain[len(plain)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, errPadding
	}
	return plain[:len(plain)-pad], nil
}

func openPBES1(oid asn1.ObjectIdentifier, params cryptobyte.String, pw secret, b *budget) (cipher.Block, []byte, error) {
	var size int
	switch {
	case oid.Equal(oidPBE3DES):
		size = 24
	case oid.Equal(oidPBE2Key), oid.Equal(oidPBERC2_128):
		size = 16
	case oid.Equal(oidPBERC2_40):
		size = 5
	default:
		return nil, nil, unsupported{"encryption " + oid.String()}
	}
	salt, iterations, err := readSaltAndCount(params)
	if err != nil {
		return nil, nil, err
	}
	key, err := deriveRFC7292(crypto.SHA1, pw.bmp, salt, iterations, forKey, size, b)
	if err != nil {
		return nil, nil, err
	}
	iv, err := deriveRFC7292(crypto.SHA1, pw.bmp, salt, iterations, forIV, 8, b)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case oid.Equal(oidPBE3DES):
		block, err := des.NewTripleDESCipher(key)
		return block, iv, err
	case oid.Equal(oidPBE2Key):
		block, err := des.NewTripleDESCipher(append(key, key[:8]...))
		return block, iv, err
	}
	return newRC2(key), iv, nil
}

// readSaltAndCount reads pkcs-12PbeParams (RFC 7292 C).
func readSaltAndCount(params cryptobyte.String) (salt []byte, iterations int, err error) {
	var seq, s cryptobyte.String
	if !params.ReadASN1(&seq, casn1.SEQUENCE) || !seq.ReadASN1(&s, casn1.OCTET_STRING) || len(s) > maxSalt ||
		!seq.ReadASN1Integer(&iterations) || !seq.Empty() {
		return nil, 0, errMalformed
	}
	return s, iterations, nil
}

func openPBES2(params cryptobyte.String, pw secret, b *budget) (cipher.Block, []byte, error) {
	var seq, ivString cryptobyte.String
	if !params.ReadASN1(&seq, casn1.SEQUENCE) {
		return nil, nil, errMalformed
	}
	kdf, err := readPBKDF2(&seq)
	if err != nil {
		return nil, nil, err
	}
	oid, encParams, err := readAlgorithm(&seq)
	if err != nil {
		return nil, nil, err
	}
	var size, blockSize int
	make := aes.NewCipher
	blockSize = aes.BlockSize
	switch {
	case oid.Equal(oidAES128CBC):
		size = 16
	case oid.Equal(oidAES192CBC):
		size = 24
	case oid.Equal(oidAES256CBC):
		size = 32
	case oid.Equal(oidDES3CBC):
		size, blockSize, make = 24, des.BlockSize, des.NewTripleDESCipher
	default:
		return nil, nil, unsupported{"cipher " + oid.String()}
	}
	if !encParams.ReadASN1(&ivString, casn1.OCTET_STRING) || len(ivString) != blockSize || kdf.size != 0 && kdf.size != size {
		return nil, nil, errMalformed
	}
	key, err := derivePBKDF2(kdf.prf, pw.utf8, kdf.salt, kdf.iterations, size, b)
	if err != nil {
		return nil, nil, err
	}
	block, err := make(key)
	return block, ivString, err
}

// pbkdf2Params is PBKDF2-params (RFC 8018 A.2). A size of 0 means that none is given.
type pbkdf2Params struct {
	salt       []byte
	iterations int
	size       int
	prf        func() hash.Hash
}

func readPBKDF2(s *cryptobyte.String) (p pbkdf2Params, err error) {
	oid, params, err := readAlgorithm(s)
	if err != nil {
		return p, err
	}
	if !oid.Equal(oidPBKDF2) {
		return p, unsupported{"key derivation " + oid.String()}
	}
	var seq, salt cryptobyte.String
	if !params.ReadASN1(&seq, casn1.SEQUENCE) || !seq.ReadASN1(&salt, casn1.OCTET_STRING) || len(salt) > maxSalt ||
		!seq.ReadASN1Integer(&p.iterations) {
		return p, errMalformed
	}
	p.salt = salt
	if seq.PeekASN1Tag(casn1.INTEGER) {
		if !seq.ReadASN1Integer(&p.size) || p.size < 1 || p.size > 128 {
			return p, errMalformed
		}
	}
	h := crypto.SHA1
	if !seq.Empty() {
		if h, err = readHMAC(&seq); err != nil {
			return p, err
		}
		if !seq.Empty() {
			return p, errMalformed
		}
	}
	p.prf = h.New
	return p, nil
}

func readHMAC(s *cryptobyte.String) (crypto.Hash, error) {
	oid, _, err := readAlgorithm(s)
	if err != nil {
		return 0, err
	}
	h, ok := hmacs[oid.String()]
	if !ok {
		return 0, unsupported{"HMAC " + oid.String()}
	}
	return h, nil
}

// seal encrypts plain and returns the AlgorithmIdentifier with the sealed octets.
func (w writer) seal(plain []byte) (alg, sealed []byte, err error) {
	salt := make([]byte, 16)
	rand.Read(salt)
	unlimited := &budget{1 << 30}
	var block cipher.Block
	var iv []byte
	switch w.encoding {
	case Modern:
		iv = make([]byte, aes.BlockSize)
		rand.Read(iv)
		alg = writePBES2(salt, iv, w.iterations)
		block, _, err = openPBES2(paramsOf(alg), secret{utf8: w.password}, unlimited)
	case Legacy:
		salt = salt[:8]
		alg = writePBES1(salt, w.iterations)
		block, iv, err = openPBES1(oidPBE3DES, paramsOf(alg), secrets(w.password)[0], unlimited)
	default:
		return nil, nil, fmt.Errorf("no such encoding: %d", w.encoding)
	}
	if err != nil {
		return nil, nil, err
	}
	pad := block.BlockSize() - len(plain)%block.BlockSize()
	sealed = append(bytes.Clone(plain), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(sealed, sealed)
	return alg, sealed, nil
}

// paramsOf gives the parameters of an AlgorithmIdentifier that we wrote.
func paramsOf(alg []byte) cryptobyte.String {
	s := cryptobyte.String(alg)
	_, params, _ := readAlgorithm(&s)
	return params
}

func writePBES2(salt, iv []byte, iterations int) []byte {
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidPBES2)
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidPBKDF2)
				b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1OctetString(salt)
					b.AddASN1Int64(int64(iterations))
					addAlgorithm(b, oidHMACSHA256)
				})
			})
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidAES256CBC)
				b.AddASN1OctetString(iv)
			})
		})
	})
	return b.BytesOrPanic()
}

func writePBES1(salt []byte, iterations int) []byte {
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidPBE3DES)
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1OctetString(salt)
			b.AddASN1Int64(int64(iterations))
		})
	})
	return b.BytesOrPanic()
}

// addAlgorithm writes an AlgorithmIdentifier with NULL parameters.
func addAlgorithm(b *cryptobyte.Builder, oid asn1.ObjectIdentifier) {
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1NULL()
	})
}
