package cms

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"

	"chancery.example/fault"
)

// KDF is how the key that wraps a content key is derived from a shared secret. The zero value picks what the standards
// want first: the KDF of ANSI X9.63 by the hash that fits the curve for P-256, P-384 and P-521 (RFC 5753), HKDF with SHA-256
// for X25519 (RFC 8418, RFC 8551 2.3) and ML-KEM (RFC 9936).
type KDF struct {
	// Hash is SHA256, SHA384 or SHA512.
	Hash crypto.Hash
	// HKDF picks HKDF (RFC 5869) over the KDF of ANSI X9.63.
	HKDF bool
}

// agreementTable is dhSinglePass with each KDF: ANSI X9.63 of RFC 5753 7.1.4, HKDF of RFC 8418 2.2. The first of a KDF is the one
// that is written. The cofactor of the NIST curves is 1, so that cofactor Diffie-Hellman gives the same secret.
var agreementTable = [...]struct {
	oid OID
	kdf KDF
}{
	{oidStdDHSHA256, KDF{Hash: crypto.SHA256}},
	{oidStdDHSHA384, KDF{Hash: crypto.SHA384}},
	{oidStdDHSHA512, KDF{Hash: crypto.SHA512}},
	{oidStdDHHKDFSHA256, KDF{Hash: crypto.SHA256, HKDF: true}},
	{oidStdDHHKDFSHA384, KDF{Hash: crypto.SHA384, HKDF: true}},
	{oidStdDHHKDFSHA512, KDF{Hash: crypto.SHA512, HKDF: true}},
	{oidStdDHSHA224, KDF{Hash: crypto.SHA224}}, // read only, as all that follow
	{oidStdDHSHA1, KDF{Hash: crypto.SHA1}},
	{oidCofactorDHSHA1, KDF{Hash: crypto.SHA1}},
	{oidCofactorDHSHA224, KDF{Hash: crypto.SHA224}},
	{oidCofactorDHSHA256, KDF{Hash: crypto.SHA256}},
	{oidCofactorDHSHA384, KDF{Hash: crypto.SHA384}},
	{oidCofactorDHSHA512, KDF{Hash: crypto.SHA512}},
}

// agreementScheme returns the identifier to write for a KDF; false if it is none that is written.
func agreementScheme(kdf KDF) (OID, bool) {
	if d, ok := digestOf(kdf.Hash); !ok || !d.writable {
		return "", false
	}
	for _, a := range agreementTable {
		if a.kdf == kdf {
			return a.oid, true
		}
	}
	return "", false
}

// sharedInfo is ECC-CMS-SharedInfo: RFC 5753 7.2, RFC 8418 2. wrap is the DER of the key wrap algorithm.
func sharedInfo(wrap, ukm []byte, keyBytes int) []byte {
	var entity []byte
	if ukm != nil {
		entity = constructed(context(0), simple(tagOctetString, ukm))
	}
	bits := binary.BigEndian.AppendUint32(nil, uint32(keyBytes)*8)
	return constructed(tagSequence, wrap, entity, constructed(context(2), simple(tagOctetString, bits)))
}

// derive returns keyBytes of key from a secret: by the KDF of ANSI X9.63 (RFC 5753 7.2) or by HKDF without salt (RFC 8418 2.2).
func (k KDF) derive(secret, info []byte, keyBytes int) ([]byte, error) {
	if k.HKDF {
		return hkdf.Key(k.Hash.New, secret, nil, string(info), keyBytes)
	}
	var out []byte
	for counter := uint32(1); len(out) < keyBytes; counter++ {
		h := k.Hash.New()
		h.Write(secret)
		h.Write(binary.BigEndian.AppendUint32(nil, counter))
		h.Write(info)
		out = h.Sum(out)
	}
	return out[:keyBytes], nil
}

// agreementKey is a public key for key agreement with what goes with it.
type agreementKey struct {
	public *ecdh.PublicKey
	oid    OID // of the type of key
	kdf    KDF // to write by
}

// agreementKeyOf returns the public key for key agreement of a certificate; false if it has another.
func agreementKeyOf(key any) (agreementKey, bool) {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		curve, ok := curveOf(k.Curve)
		if !ok {
			return agreementKey{}, false
		}
		public, err := k.ECDH()
		return agreementKey{public, oidECPublicKey, KDF{Hash: curve.hash}}, err == nil
	case *ecdh.PublicKey:
		return agreementKey{k, oidX25519, KDF{Hash: crypto.SHA256, HKDF: true}}, k.Curve() == ecdh.X25519()
	}
	return agreementKey{}, false
}

// agreement is the part of a KeyAgreeRecipientInfo that all its recipients share: RFC 5652 6.2.2.
type agreement struct {
	keyType   OID    // of the originator's ephemeral public key
	point     []byte // that key
	ukm       []byte // nil if absent
	kdf       KDF
	wrap      []byte // DER of the key wrap algorithm
	keyBytes  int    // of the key wrap
	tripleDES bool   // the key wrap is that of Triple DES
	usable    bool
}

// unwrap returns the content key that was wrapped for key.
func (a *agreement) unwrap(key crypto.PrivateKey, cert *x509.Certificate, wrapped []byte) ([]byte, bool) {
	own, ok := agreementKeyOf(publicKeyOf(cert).key)
	if !ok || !a.usable || a.keyType != own.oid {
		return nil, false
	}
	if k, isECDSA := key.(*ecdsa.PrivateKey); isECDSA {
		converted, err := k.ECDH()
		if err != nil {
			return nil, false
		}
		key = converted
	}
	agreer, ok := key.(KeyAgreer)
	if !ok {
		return nil, false
	}
	remote, err := own.public.Curve().NewPublicKey(a.point) // refuses what is not on the curve
	if err != nil {
		return nil, false
	}
	secret, err := agreer.ECDH(remote) // of X25519 it refuses a secret of zeros: RFC 8418 7
	if err != nil {
		return nil, false
	}
	kek, err := a.kdf.derive(secret, sharedInfo(a.wrap, a.ukm, a.keyBytes), a.keyBytes)
	if err != nil {
		return nil, false
	}
	if a.tripleDES {
		return unwrapTripleDES(kek, wrapped)
	}
	return unwrapKey(kek, wrapped)
}

// agreeRecipient returns a KeyAgreeRecipientInfo with an ephemeral key of its own: RFC 5753 3.1, RFC 8418 3.
func agreeRecipient(r Recipient, key agreementKey, contentKey []byte) ([]byte, error) {
	kdf := r.KDF
	if kdf == (KDF{}) {
		kdf = key.kdf
	}
	oid, ok := agreementScheme(kdf)
	if !ok || kdf.HKDF && key.oid != oidX25519 {
		return nil, refused("kdf", "This key derivation is not written for the recipient's key.")
	}
	ephemeral, err := key.public.Curve().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	secret, err := ephemeral.ECDH(key.public)
	if err != nil {
		return nil, fault.Wrap(err, fault.Refused, "cms.recipient-key", "The recipient's public key is malformed.")
	}
	wrap, keyBytes := wrapFor(contentKey)
	kek, err := kdf.derive(secret, sharedInfo(wrap.der(), nil, keyBytes), keyBytes)
	if err != nil {
		return nil, err
	}
	wrapped, err := wrapKey(kek, contentKey)
	if err != nil {
		return nil, err
	}
	id := issuerAndSerial(r.Certificate)
	if r.KeyIdentifier {
		id = constructed(context(0), simple(tagOctetString, r.Certificate.SubjectKeyId)) // RecipientKeyIdentifier
	}
	point := append([]byte{0}, ephemeral.PublicKey().Bytes()...)
	originator := constructed(context(1), Algorithm{OID: key.oid}.der(), simple(tagBitString, point))
	scheme := Algorithm{OID: oid, Parameters: wrap.der()}
	return constructed(context(1), derInteger(3), constructed(context(0), originator), scheme.der(),
		constructed(tagSequence, constructed(tagSequence, id, simple(tagOctetString, wrapped)))), nil
}
