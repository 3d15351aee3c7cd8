package cms

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"

	"chancery.example/fault"
)

// agreementTable is dhSinglePass with the KDF of ANSI X9.63 by each digest: RFC 5753 7.1.4. The cofactor of the NIST curves is 1,
// so that cofactor Diffie-Hellman gives the same secret.
var agreementTable = [...]struct {
	oid, cofactor OID
	hash          crypto.Hash
}{
	{oidStdDHSHA256, oidCofactorDHSHA256, crypto.SHA256},
	{oidStdDHSHA384, oidCofactorDHSHA384, crypto.SHA384},
	{oidStdDHSHA512, oidCofactorDHSHA512, crypto.SHA512},
	{oidStdDHSHA1, oidCofactorDHSHA1, crypto.SHA1}, // read only
}

// deriveKey is the KDF of ANSI X9.63 over ECC-CMS-SharedInfo: RFC 5753 7.2. wrap is the DER of the key wrap algorithm.
func deriveKey(hash crypto.Hash, secret, wrap, ukm []byte, keyBytes int) []byte {
	var entity []byte
	if ukm != nil {
		entity = constructed(context(0), simple(tagOctetString, ukm))
	}
	bits := binary.BigEndian.AppendUint32(nil, uint32(keyBytes)*8)
	shared := constructed(tagSequence, wrap, entity, constructed(context(2), simple(tagOctetString, bits)))
	var out []byte
	for counter := uint32(1); len(out) < keyBytes; counter++ {
		h := hash.New()
		h.Write(secret)
		h.Write(binary.BigEndian.AppendUint32(nil, counter))
		h.Write(shared)
		out = h.Sum(out)
	}
	return out[:keyBytes]
}

// agreement is the part of a KeyAgreeRecipientInfo that all its recipients share: RFC 5652 6.2.2.
type agreement struct {
	point     []byte // the originator's ephemeral public key
	ukm       []byte // nil if absent
	hash      crypto.Hash
	wrap      []byte // DER of the key wrap algorithm
	keyBytes  int    // of the key wrap
	tripleDES bool   // the key wrap is that of Triple DES
	usable    bool
}

// unwrap returns the content key that was wrapped for key.
func (a *agreement) unwrap(key crypto.PrivateKey, cert *x509.Certificate, wrapped []byte) ([]byte, bool) {
	public, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || !a.usable {
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
	curve, ok := curveOf(public.Curve)
	if !ok {
		return nil, false
	}
	remote, err := curve.ecdh.NewPublicKey(a.point) // refuses what is not on the curve
	if err != nil {
		return nil, false
	}
	secret, err := agreer.ECDH(remote)
	if err != nil {
		return nil, false
	}
	kek := deriveKey(a.hash, secret, a.wrap, a.ukm, a.keyBytes)
	if a.tripleDES {
		return unwrapTripleDES(kek, wrapped)
	}
	return unwrapKey(kek, wrapped)
}

// agreeRecipient returns a KeyAgreeRecipientInfo with an ephemeral key of its own: RFC 5753 3.1.
func agreeRecipient(r Recipient, public *ecdsa.PublicKey, contentKey []byte) ([]byte, error) {
	curve, ok := curveOf(public.Curve)
	if !ok {
		return nil, refused("recipient-key", "The recipient's curve %s is not supported.", public.Curve.Params().Name)
	}
	remote, err := public.ECDH()
	if err != nil {
		return nil, fault.Wrap(err, fault.Refused, "cms.recipient-key", "The recipient's public key is malformed.")
	}
	ephemeral, err := curve.ecdh.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	secret, err := ephemeral.ECDH(remote)
	if err != nil {
		return nil, err
	}
	var wrap Algorithm
	keyBytes := 0
	for _, w := range wrapTable {
		if wrap, keyBytes = (Algorithm{OID: w.oid}), w.keyBytes; keyBytes >= len(contentKey) {
			break
		}
	}
	var scheme Algorithm
	for _, a := range agreementTable {
		if a.hash == curve.hash {
			scheme = Algorithm{OID: a.oid, Parameters: wrap.der()}
		}
	}
	wrapped, err := wrapKey(deriveKey(curve.hash, secret, wrap.der(), nil, keyBytes), contentKey)
	if err != nil {
		return nil, err
	}
	id := issuerAndSerial(r.Certificate)
	if r.KeyIdentifier {
		id = constructed(context(0), simple(tagOctetString, r.Certificate.SubjectKeyId)) // RecipientKeyIdentifier
	}
	point := append([]byte{0}, ephemeral.PublicKey().Bytes()...)
	originator := constructed(context(1), Algorithm{OID: oidECPublicKey}.der(), simple(tagBitString, point))
	return constructed(context(1), derInteger(3), constructed(context(0), originator), scheme.der(),
		constructed(tagSequence, constructed(tagSequence, id, simple(tagOctetString, wrapped)))), nil
}
