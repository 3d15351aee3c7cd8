package cms

import (
	"bytes"
	"crypto"
	"crypto/mlkem"
	"crypto/x509"
)

// KeyDecapsulator is a private key for key encapsulation: *mlkem.DecapsulationKey768, *mlkem.DecapsulationKey1024, or one in
// an HSM.
type KeyDecapsulator interface {
	// Decapsulate returns the shared secret of a ciphertext. What was not made for the key gives an error or, as FIPS 203
	// wants, a made-up secret.
	Decapsulate(ciphertext []byte) (sharedKey []byte, err error)
}

// kemHashes is HKDF by each hash as the key derivation of RFC 9629: RFC 8619. Only SHA-256 must be known to readers: RFC 9936 2.2.
var kemHashes = [...]struct {
	oid  OID
	hash crypto.Hash
}{{oidHKDFSHA256, crypto.SHA256}, {oidHKDFSHA384, crypto.SHA384}, {oidHKDFSHA512, crypto.SHA512}}

// encapsulation is what a KEMRecipientInfo says besides the encrypted key: RFC 9629 3.
type encapsulation struct {
	ciphertext []byte
	kdf        KDF
	info       []byte // DER of CMSORIforKEMOtherInfo
	keyBytes   int    // of the key wrap
	usable     bool
}

// parseOther reads the fields of an OtherRecipientInfo: RFC 5652 6.2.5. Only that of RFC 9629 is known.
func parseOther(fields cursor) ([]target, bool) {
	other := []target{{RecipientInfo: RecipientInfo{Kind: OtherRecipient}}}
	o, ok := fields.oid()
	if !ok {
		return nil, false
	}
	if o != oidKEMRecipient {
		return other, true
	}
	e, ok := fields.take(tagSequence)
	if !ok || len(fields) != 0 {
		return nil, false
	}
	return parseEncapsulation(cursor(e.contents))
}

// parseEncapsulation reads the fields of a KEMRecipientInfo: RFC 9629 3. What is well-formed but not supported gives a
// recipient that no key opens.
func parseEncapsulation(fields cursor) ([]target, bool) {
	t := target{RecipientInfo: RecipientInfo{Kind: KeyEncapsulation}}
	var ok bool
	if _, ok = fields.take(tagInteger); !ok {
		return nil, false
	}
	if t.Recipient, ok = parseIdentifier(&fields); !ok {
		return nil, false
	}
	if t.KeyEncryption, ok = ownAlgorithm(&fields); !ok {
		return nil, false
	}
	ciphertext, ok := fields.take(tagOctetString)
	if !ok || ciphertext.constructed {
		return nil, false
	}
	kdf, ok := fields.algorithm(tagSequence)
	if !ok {
		return nil, false
	}
	length, ok := fields.take(tagInteger)
	if !ok {
		return nil, false
	}
	var ukm []byte
	if e, found := fields.take(context(0)); found {
		ukm = e.whole
	}
	wrapAt := fields
	wrap, ok := fields.algorithm(tagSequence)
	if !ok {
		return nil, false
	}
	k := &encapsulation{ciphertext: bytes.Clone(ciphertext.contents), keyBytes: wrapKeyBytes(wrap)}
	k.info = constructed(tagSequence, wrapAt[:len(wrapAt)-len(fields)], length.whole, ukm) // RFC 9629 5
	for _, h := range kemHashes {
		if h.oid == kdf.OID && kdf.Parameters == nil {
			k.kdf = KDF{Hash: h.hash, HKDF: true}
		}
	}
	n, ok := smallInteger(length.whole)
	k.usable = ok && n == k.keyBytes && k.keyBytes > 0 && k.kdf.Hash != 0 && t.KeyEncryption.Parameters == nil
	t.encapsulation = k
	key, ok := fields.take(tagOctetString)
	t.encryptedKey = key.contents
	return []target{t}, ok && !key.constructed && len(fields) == 0
}

// kemOf returns the identifier of the mechanism that a public key is for, the size of its ciphertexts, and how to
// encapsulate; false for other keys.
func kemOf(key any) (o OID, ciphertextBytes int, encapsulate func() (secret, ciphertext []byte), ok bool) {
	switch k := key.(type) {
	case *mlkem.EncapsulationKey768:
		return oidMLKEM768, mlkem.CiphertextSize768, k.Encapsulate, true
	case *mlkem.EncapsulationKey1024:
		return oidMLKEM1024, mlkem.CiphertextSize1024, k.Encapsulate, true
	}
	return "", 0, nil, false
}

// unwrap returns the content key that was wrapped for key.
func (k *encapsulation) unwrap(key crypto.PrivateKey, cert *x509.Certificate, alg Algorithm, wrapped []byte) ([]byte, bool) {
	o, size, _, ok := kemOf(publicKeyOf(cert).key)
	if !ok || !k.usable || o != alg.OID || len(k.ciphertext) != size {
		return nil, false
	}
	decapsulator, ok := key.(KeyDecapsulator)
	if !ok {
		return nil, false
	}
	secret, err := decapsulator.Decapsulate(k.ciphertext)
	if err != nil {
		return nil, false
	}
	defer clear(secret)
	kek, err := k.kdf.derive(secret, k.info, k.keyBytes)
	if err != nil {
		return nil, false
	}
	defer clear(kek)
	return unwrapKey(kek, wrapped)
}

// encapsulationRecipient returns an OtherRecipientInfo with a KEMRecipientInfo: RFC 9629 3, RFC 9936 2.
func encapsulationRecipient(r Recipient, contentKey []byte) ([]byte, error) {
	o, _, encapsulate, _ := kemOf(publicKeyOf(r.Certificate).key)
	kdf := r.KDF
	if kdf == (KDF{}) {
		kdf = KDF{Hash: crypto.SHA256, HKDF: true}
	}
	var derivation OID
	for _, h := range kemHashes {
		if kdf.HKDF && h.hash == kdf.Hash {
			derivation = h.oid
		}
	}
	if derivation == "" {
		return nil, refused("kdf", "This key derivation is not written for the recipient's key.")
	}
	wrap, keyBytes := Algorithm{OID: oidAES256Wrap}, 32 // RFC 9936 2.2: for ML-KEM-768 and 1024, whatever the content key
	secret, ciphertext := encapsulate()
	defer clear(secret)
	info := constructed(tagSequence, wrap.der(), derInteger(int64(keyBytes)))
	kek, err := kdf.derive(secret, info, keyBytes)
	if err != nil {
		return nil, err
	}
	defer clear(kek)
	wrapped, err := wrapKey(kek, contentKey)
	if err != nil {
		return nil, err
	}
	id := issuerAndSerial(r.Certificate)
	if r.KeyIdentifier {
		id = simple(context(0), r.Certificate.SubjectKeyId)
	}
	value := constructed(tagSequence, derInteger(0), id, Algorithm{OID: o}.der(), simple(tagOctetString, ciphertext),
		Algorithm{OID: derivation}.der(), derInteger(int64(keyBytes)), wrap.der(), simple(tagOctetString, wrapped))
	return constructed(context(4), derOID(oidKEMRecipient), value), nil
}
