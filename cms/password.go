package cms

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/subtle"
)

// Passphrase opens what is encrypted for a password: RFC 5652 6.2.4. It is a DecryptionKey.Key and needs no certificate.
type Passphrase string

// SharedKey opens what is encrypted for a key that sender and recipient share: RFC 5652 6.2.3. It is a DecryptionKey.Key and
// needs no certificate.
type SharedKey struct {
	// ID is the name of the key as messages tell it; if empty, the key is tried for every name.
	ID []byte
	// Key is the key itself, 16, 24 or 32 bytes.
	Key []byte
}

const (
	passwordIterations = 600_000 // of PBKDF2 with HMAC-SHA-256 as written; OWASP 2023
	passwordSalt       = 16      // bytes as written
)

// prfTable is the pseudo-random functions of PBKDF2: RFC 8018 B.1.2. SHA-1 is the default, as many still write.
var prfTable = [...]struct {
	oid  OID
	hash crypto.Hash
}{
	{oidHMACSHA1, crypto.SHA1}, {oidHMACSHA224, crypto.SHA224}, {oidHMACSHA256, crypto.SHA256}, {oidHMACSHA384, crypto.SHA384}, {oidHMACSHA512, crypto.SHA512},
}

// passwordBased is what a PasswordRecipientInfo says besides the encrypted key: RFC 5652 6.2.4, RFC 3211 2.
type passwordBased struct {
	salt       []byte
	iterations int
	hash       crypto.Hash
	wrap       Cipher // in CBC mode
	iv         []byte
	usable     bool
}

// parsePassword reads the fields of a PasswordRecipientInfo. What is well-formed but not supported gives a recipient that no
// password opens.
func parsePassword(fields cursor) ([]target, bool) {
	t := target{RecipientInfo: RecipientInfo{Kind: Password}}
	if _, ok := fields.take(tagInteger); !ok {
		return nil, false
	}
	derivation, found := fields.algorithm(context(0))
	alg, ok := ownAlgorithm(&fields)
	if !ok {
		return nil, false
	}
	t.KeyEncryption = alg
	p := &passwordBased{}
	p.usable = found && p.readDerivation(derivation) && p.readWrap(alg)
	t.password, t.Iterations = p, p.iterations
	key, ok := fields.take(tagOctetString)
	t.encryptedKey = key.contents
	return []target{t}, ok && !key.constructed && len(fields) == 0
}

// readDerivation reads PBKDF2-params: RFC 8018 A.2. A key length that is stated must not matter: the wrap knows its own.
func (p *passwordBased) readDerivation(a Algorithm) bool {
	if a.OID != oidPBKDF2 {
		return false
	}
	rest := cursor(a.Parameters)
	e, ok := rest.take(tagSequence)
	if !ok {
		return false
	}
	fields := cursor(e.contents)
	salt, ok := fields.take(tagOctetString)
	if !ok {
		return false
	}
	iterations, ok := fields.take(tagInteger)
	if !ok {
		return false
	}
	if p.iterations, ok = smallInteger(iterations.whole); !ok || p.iterations == 0 {
		return false
	}
	p.salt = bytes.Clone(salt.contents)
	fields.take(tagInteger) // keyLength
	p.hash = crypto.SHA1
	if len(fields) > 0 {
		prf, ok := fields.algorithm(tagSequence)
		if !ok || len(fields) != 0 {
			return false
		}
		p.hash = 0
		for _, f := range prfTable {
			if f.oid == prf.OID {
				p.hash = f.hash
			}
		}
	}
	return p.hash != 0
}

// readWrap reads id-alg-PWRI-KEK with the block cipher in its parameters: RFC 3211 2.3.
func (p *passwordBased) readWrap(a Algorithm) bool {
	if a.OID != oidPWRIKEK {
		return false
	}
	parameters := cursor(a.Parameters)
	inner, ok := parameters.algorithm(tagSequence)
	if !ok || len(parameters) != 0 {
		return false
	}
	c, ok := CipherOf(inner.OID)
	if !ok || c.AEAD() {
		return false
	}
	rest := cursor(inner.Parameters)
	iv, ok := rest.take(tagOctetString)
	p.wrap, p.iv = c, bytes.Clone(iv.contents)
	return ok && len(rest) == 0 && len(p.iv) == c.nonceBytes()
}

func (p *passwordBased) block(password Passphrase) (cipher.Block, error) {
	key, err := pbkdf2.Key(p.hash.New, string(password), p.salt, p.iterations, p.wrap.KeyBytes())
	if err != nil {
		return nil, err
	}
	defer clear(key)
	if p.wrap == TripleDESCBC {
		return des.NewTripleDESCipher(key)
	}
	return aes.NewCipher(key)
}

// unwrap returns the content key: RFC 3211 2.3.2. The check value in it is short: a wrong password passes it once in 2^24.
func (p *passwordBased) unwrap(password Passphrase, wrapped []byte, keyBytes int) ([]byte, bool) {
	if !p.usable {
		return nil, false
	}
	size := len(p.iv)
	if len(wrapped) < 2*size || len(wrapped)%size != 0 || len(wrapped) > maxWrappedKey {
		return nil, false
	}
	block, err := p.block(password)
	if err != nil {
		return nil, false
	}
	out := bytes.Clone(wrapped)
	last := len(out) - size
	cipher.NewCBCDecrypter(block, wrapped[last-size:last]).CryptBlocks(out[last:], out[last:])
	cipher.NewCBCDecrypter(block, out[last:]).CryptBlocks(out[:last], out[:last])
	cipher.NewCBCDecrypter(block, p.iv).CryptBlocks(out, out)
	if 4+keyBytes > len(out) || int(out[0]) != keyBytes {
		return nil, false
	}
	key := out[4 : 4+keyBytes]
	check := []byte{^key[0], ^key[1], ^key[2]}
	return key, subtle.ConstantTimeCompare(check, out[1:4]) == 1
}

// wrapKey wraps a content key: RFC 3211 2.3.1.
func (p *passwordBased) wrapKey(password Passphrase, key []byte) ([]byte, error) {
	block, err := p.block(password)
	if err != nil {
		return nil, err
	}
	size := block.BlockSize()
	out := make([]byte, max((4+len(key)+size-1)/size*size, 2*size))
	rand.Read(out)
	copy(out, []byte{byte(len(key)), ^key[0], ^key[1], ^key[2]})
	copy(out[4:], key)
	twice := cipher.NewCBCEncrypter(block, p.iv)
	twice.CryptBlocks(out, out)
	twice.CryptBlocks(out, out)
	return out, nil
}

// passwordRecipient returns a PasswordRecipientInfo by PBKDF2 with HMAC-SHA-256 and AES-256: RFC 5652 6.2.4.
func passwordRecipient(r Recipient, contentKey []byte) ([]byte, error) {
	p := &passwordBased{salt: make([]byte, passwordSalt), iterations: r.Iterations, hash: crypto.SHA256, wrap: AES256CBC, iv: make([]byte, blockBytes)}
	if p.iterations == 0 {
		p.iterations = passwordIterations
	}
	if p.iterations < minIterations || p.iterations > maxIterations {
		return nil, refused("password", "A password is derived by %d to %d iterations.", minIterations, maxIterations)
	}
	rand.Read(p.salt)
	rand.Read(p.iv)
	wrapped, err := p.wrapKey(r.Password, contentKey)
	if err != nil {
		return nil, err
	}
	derivation := Algorithm{OID: oidPBKDF2, Parameters: constructed(tagSequence, simple(tagOctetString, p.salt),
		derInteger(int64(p.iterations)), Algorithm{OID: oidHMACSHA256, Parameters: derNull}.der())}
	wrap := Algorithm{OID: p.wrap.OID(), Parameters: simple(tagOctetString, p.iv)}
	return constructed(context(3), derInteger(0), derivation.derAs(context(0)),
		Algorithm{OID: oidPWRIKEK, Parameters: wrap.der()}.der(), simple(tagOctetString, wrapped)), nil
}

// parseSharedKey reads the fields of a KEKRecipientInfo: RFC 5652 6.2.3.
func parseSharedKey(fields cursor) ([]target, bool) {
	t := target{RecipientInfo: RecipientInfo{Kind: KeyEncryptionKey}}
	if _, ok := fields.take(tagInteger); !ok {
		return nil, false
	}
	id, ok := fields.take(tagSequence)
	if !ok {
		return nil, false
	}
	inner := cursor(id.contents) // date and other stay unread
	name, ok := inner.take(tagOctetString)
	if !ok {
		return nil, false
	}
	t.SharedKeyID = bytes.Clone(name.contents)
	if t.KeyEncryption, ok = ownAlgorithm(&fields); !ok {
		return nil, false
	}
	key, ok := fields.take(tagOctetString)
	t.encryptedKey = key.contents
	return []target{t}, ok && !key.constructed && len(fields) == 0
}

// unwrapShared returns the content key that was wrapped by a shared key: AES key wrap, and that of Triple DES for old mail.
func unwrapShared(kek []byte, alg Algorithm, wrapped []byte) ([]byte, bool) {
	if alg.OID == oidTripleDESWrap {
		return unwrapTripleDES(kek, wrapped)
	}
	if wrapKeyBytes(alg) != len(kek) {
		return nil, false
	}
	return unwrapKey(kek, wrapped)
}
