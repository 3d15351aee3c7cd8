package pkcs12

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"chancery.example/fault"
)

// Rounds of each key derivation that we write. A file has one for the MAC, one for the certificates and one a key.
const (
	modernIterations = 100_000
	legacyIterations = 50_000 // old gpgsm and Windows take a second for it
)

const tagBMPString = casn1.Tag(30)

// Encode writes identities, the first one first, into one file sealed with password, which may be any Unicode text
// without control characters but not empty. Certificates that several identities share are written once. What the
// caller can mend is refused with a fault.Invalid.
func Encode(identities []Identity, password string, encoding Encoding) ([]byte, error) {
	if err := checkPassword(password); err != nil {
		return nil, err
	}
	w := writer{password, encoding, modernIterations}
	if encoding == Legacy {
		w.iterations = legacyIterations
	}
	return w.file(identities)
}

// writer writes one file.
type writer struct {
	password   string
	encoding   Encoding
	iterations int
}

func (w writer) file(identities []Identity) ([]byte, error) {
	if len(identities) == 0 {
		return nil, fault.New(fault.Invalid, "pkcs12.empty", "There is no key to write into the file.")
	}
	var certBags, keyBags [][]byte
	written := map[string]bool{}
	for _, id := range identities {
		key, err := w.keyBag(id)
		if err != nil {
			return nil, err
		}
		keyBags = append(keyBags, key)
		if id.Cert != nil && !written[string(id.Cert.Raw)] {
			written[string(id.Cert.Raw)] = true
			certBags = append(certBags, certBag(id.Cert, attributes(id)))
		}
	}
	for _, id := range identities { // chains come after all certificates that have keys: some readers take the first
		for _, c := range id.Chain {
			if !written[string(c.Raw)] {
				written[string(c.Raw)] = true
				certBags = append(certBags, certBag(c, nil))
			}
		}
	}
	safe, err := w.authenticatedSafe(certBags, keyBags)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "pkcs12.encode", "The file could not be written.")
	}
	return w.pfx(safe)
}

func checkPassword(password string) error {
	if password == "" {
		return fault.New(fault.Invalid, "pkcs12.empty-password", "Please choose a password: without one anybody who gets the file has the key.")
	}
	if !utf8.ValidString(password) {
		return fault.New(fault.Invalid, "pkcs12.password-characters", "The password is not valid Unicode text. Please choose another.")
	}
	for _, r := range password {
		if unicode.IsControl(r) {
			return fault.New(fault.Invalid, "pkcs12.password-characters", "The password contains a control character, which no mail client lets you type. Please choose another.")
		}
	}
	return nil
}

func (w writer) keyBag(id Identity) ([]byte, error) {
	if id.Cert != nil && !samePublicKey(id.Key, id.Cert) {
		return nil, fault.New(fault.Invalid, "pkcs12.key-mismatch", "The certificate of %s belongs to another key.", id.Cert.Subject)
	}
	der, err := x509.MarshalPKCS8PrivateKey(id.Key)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "pkcs12.unsupported-key", "This kind of key cannot be written into a PKCS#12 file.")
	}
	alg, sealed, err := w.seal(der)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "pkcs12.encode", "The file could not be written.")
	}
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(alg)
		b.AddASN1OctetString(sealed)
	})
	return bag(oidShroudedKeyBag, b.BytesOrPanic(), attributes(id)), nil
}

func certBag(c *x509.Certificate, attributes []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidX509Certificate)
		b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(c.Raw) })
	})
	return bag(oidCertBag, b.BytesOrPanic(), attributes)
}

// explicit0 is the tag [0] EXPLICIT.
var explicit0 = casn1.Tag(0).ContextSpecific().Constructed()

// bag is SafeBag (RFC 7292 4.2).
func bag(oid asn1.ObjectIdentifier, value, attributes []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddBytes(value) })
		if len(attributes) > 0 {
			b.AddASN1(casn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(attributes) })
		}
	})
	return b.BytesOrPanic()
}

// attributes writes friendlyName and localKeyId (RFC 2985 5.5), which tie a key to its certificate. Both attributes
// are in the order of a DER set, since their encodings differ first in length or in the last octet of the type.
func attributes(id Identity) []byte {
	var list [][]byte
	if id.FriendlyName != "" {
		list = append(list, attribute(oidFriendlyName, tagBMPString, bmp(id.FriendlyName)))
	}
	if id.Cert != nil {
		digest := sha1.Sum(id.Cert.Raw) // an identifier, as OpenSSL and NSS make it
		list = append(list, attribute(oidLocalKeyID, casn1.OCTET_STRING, digest[:]))
	}
	if len(list) == 2 && bytes.Compare(list[0], list[1]) > 0 {
		list[0], list[1] = list[1], list[0]
	}
	return bytes.Join(list, nil)
}

func attribute(oid asn1.ObjectIdentifier, tag casn1.Tag, value []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(casn1.SET, func(b *cryptobyte.Builder) {
			b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(value) })
		})
	})
	return b.BytesOrPanic()
}

// authenticatedSafe is AuthenticatedSafe (RFC 7292 4.1): encrypted certificates, then the keys, each sealed itself.
func (w writer) authenticatedSafe(certBags, keyBags [][]byte) ([]byte, error) {
	var encrypted []byte
	if len(certBags) > 0 {
		alg, sealed, err := w.seal(element(0x30, bytes.Join(certBags, nil)))
		if err != nil {
			return nil, err
		}
		var b cryptobyte.Builder
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(0)
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidData)
				b.AddBytes(alg)
				b.AddASN1(casn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(sealed) })
			})
		})
		encrypted = contentInfo(oidEncryptedData, b.BytesOrPanic())
	}
	keys := contentInfo(oidData, element(0x04, element(0x30, bytes.Join(keyBags, nil))))
	return element(0x30, append(encrypted, keys...)), nil
}

func contentInfo(oid asn1.ObjectIdentifier, content []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(explicit0, func(b *cryptobyte.Builder) { b.AddBytes(content) })
	})
	return b.BytesOrPanic()
}

// pfx puts the MAC on and closes the file (RFC 7292 4).
func (w writer) pfx(safe []byte) ([]byte, error) {
	digest, oid := crypto.SHA256, oidSHA256
	if w.encoding == Legacy {
		digest, oid = crypto.SHA1, oidSHA1
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	key, err := deriveRFC7292(digest, secrets(w.password)[0].bmp, salt, w.iterations, forMAC, digest.Size(), &budget{1 << 30})
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "pkcs12.encode", "The file could not be written.")
	}
	mac := hmac.New(digest.New, key)
	mac.Write(safe)
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(3)
		b.AddBytes(contentInfo(oidData, element(0x04, safe)))
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
				addAlgorithm(b, oid)
				b.AddASN1OctetString(mac.Sum(nil))
			})
			b.AddASN1OctetString(salt)
			b.AddASN1Int64(int64(w.iterations))
		})
	})
	return b.Bytes()
}

// samePublicKey reports whether cert certifies the public half of key.
func samePublicKey(key crypto.PrivateKey, cert *x509.Certificate) bool {
	public := publicOf(key)
	return public != nil && bytes.Equal(public, keyOf(cert.RawSubjectPublicKeyInfo))
}

// publicOf gives the subjectPublicKey of a private key, and nil where there is none.
func publicOf(key crypto.PrivateKey) []byte {
	k, ok := key.(interface{ Public() crypto.PublicKey })
	if !ok {
		return nil
	}
	spki, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		return nil
	}
	return keyOf(spki)
}

// keyOf gives the subjectPublicKey of a SubjectPublicKeyInfo, without the AlgorithmIdentifier, which may differ in
// spelling (RSA with and without NULL, RSASSA-PSS).
func keyOf(spki []byte) []byte {
	s := cryptobyte.String(spki)
	var seq cryptobyte.String
	var bits asn1.BitString
	if !s.ReadASN1(&seq, casn1.SEQUENCE) || !seq.SkipASN1(casn1.SEQUENCE) || !seq.ReadASN1BitString(&bits) {
		return spki
	}
	return bits.Bytes
}
