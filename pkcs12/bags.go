package pkcs12

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxNestedBags bounds SafeContents within SafeContents (RFC 7292 4.2.6), which nobody is known to write.
const maxNestedBags = 4

// Bounds of putting chains together.
const (
	maxChain  = 16   // certificates above one key's
	maxChecks = 2048 // signatures checked for one file
)

// contents is what the bags of a file hold.
type contents struct {
	keys   []keyEntry
	certs  []certEntry
	sealed bool // something was opened with the password
	bags   int  // still allowed
	checks int  // signatures checked
}

type keyEntry struct {
	key    crypto.PrivateKey
	public []byte // as publicOf gives it
	names  attributeSet
}

type certEntry struct {
	cert  *x509.Certificate
	names attributeSet
}

type attributeSet struct {
	friendlyName string
	localKeyID   []byte
}

// contents opens AuthenticatedSafe (RFC 7292 4.1) under one form of the password.
func (f *pfxFile) contents(pw secret, rounds *budget, bags int) (*contents, error) {
	der, err := toDER(f.safe)
	if err != nil {
		return nil, err
	}
	c := &contents{bags: bags}
	s := cryptobyte.String(der)
	var safe cryptobyte.String
	if !s.ReadASN1(&safe, casn1.SEQUENCE) {
		return nil, errMalformed
	}
	for !safe.Empty() {
		if err := c.spend(); err != nil {
			return nil, err
		}
		oid, content, err := readContentInfo(&safe)
		if err != nil {
			return nil, err
		}
		var plain []byte
		switch {
		case oid.Equal(oidData):
			var octets cryptobyte.String
			if !content.ReadASN1(&octets, casn1.OCTET_STRING) {
				return nil, errMalformed
			}
			plain = octets
		case oid.Equal(oidEncryptedData):
			if plain, err = c.openEncrypted(content, pw, rounds); err != nil {
				return nil, err
			}
		default:
			continue // EnvelopedData: sealed to somebody's public key, which no password opens
		}
		if plain, err = toDER(plain); err != nil {
			return nil, errPaddingIf(oid.Equal(oidEncryptedData), err)
		}
		if err := c.readSafe(plain, 0, pw, rounds); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *contents) spend() error {
	if c.bags--; c.bags < 0 {
		return errBags
	}
	return nil
}

// errPaddingIf says that what was just decrypted is no ASN.1, which a wrong password does once in 256 times.
func errPaddingIf(decrypted bool, err error) error {
	if decrypted {
		return errPadding
	}
	return err
}

// openEncrypted opens EncryptedData (RFC 5652 8).
func (c *contents) openEncrypted(content cryptobyte.String, pw secret, rounds *budget) ([]byte, error) {
	var data, info, alg cryptobyte.String
	var version int
	var oid asn1.ObjectIdentifier
	if !content.ReadASN1(&data, casn1.SEQUENCE) || !data.ReadASN1Integer(&version) || !data.ReadASN1(&info, casn1.SEQUENCE) ||
		!info.ReadASN1ObjectIdentifier(&oid) || !info.ReadASN1Element(&alg, casn1.SEQUENCE) {
		return nil, errMalformed
	}
	var sealed cryptobyte.String
	var tag casn1.Tag
	if !info.ReadAnyASN1(&sealed, &tag) {
		return nil, errMalformed
	}
	octets := []byte(sealed)
	switch tag {
	case casn1.Tag(0).ContextSpecific():
	case explicit0: // [0] IMPLICIT OCTET STRING in segments, as BER allows
		var err error
		if octets, err = joinSegments(sealed); err != nil {
			return nil, err
		}
	default:
		return nil, errMalformed
	}
	plain, err := decrypt(alg, octets, pw, rounds)
	if err == nil {
		c.sealed = true
	}
	return plain, err
}

// readSafe reads SafeContents (RFC 7292 4.2).
func (c *contents) readSafe(der []byte, depth int, pw secret, rounds *budget) error {
	s := cryptobyte.String(der)
	var list cryptobyte.String
	if depth > maxNestedBags || !s.ReadASN1(&list, casn1.SEQUENCE) {
		return errMalformed
	}
	for !list.Empty() {
		if err := c.spend(); err != nil {
			return err
		}
		var entry, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !list.ReadASN1(&entry, casn1.SEQUENCE) || !entry.ReadASN1ObjectIdentifier(&oid) || !entry.ReadASN1(&value, explicit0) {
			return errMalformed
		}
		names, err := readAttributes(entry)
		if err != nil {
			return err
		}
		switch {
		case oid.Equal(oidKeyBag):
			err = c.addKey(value, names)
		case oid.Equal(oidShroudedKeyBag):
			var plain []byte
			if plain, err = c.openKey(value, pw, rounds); err == nil {
				err = c.addKey(plain, names)
			}
		case oid.Equal(oidCertBag):
			err = c.addCert(value, names)
		case oid.Equal(oidSafeContentsBag):
			err = c.readSafe(value, depth+1, pw, rounds)
		}
		// CRLs and secrets (RFC 7292 4.2.4, 4.2.5) are passed over.
		if err != nil {
			return err
		}
	}
	return nil
}

// openKey opens EncryptedPrivateKeyInfo (RFC 5208 6).
func (c *contents) openKey(value cryptobyte.String, pw secret, rounds *budget) ([]byte, error) {
	var info, alg, sealed cryptobyte.String
	if !value.ReadASN1(&info, casn1.SEQUENCE) || !info.ReadASN1Element(&alg, casn1.SEQUENCE) || !info.ReadASN1(&sealed, casn1.OCTET_STRING) {
		return nil, errMalformed
	}
	plain, err := decrypt(alg, sealed, pw, rounds)
	if err != nil {
		return nil, err
	}
	if plain, err = toDER(plain); err != nil {
		return nil, errPadding
	}
	c.sealed = true
	return plain, nil
}

func (c *contents) addKey(der []byte, names attributeSet) error {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return unsupported{"a key whose kind or curve we do not have"}
	}
	c.keys = append(c.keys, keyEntry{key, publicOf(key), names})
	return nil
}

func (c *contents) addCert(value cryptobyte.String, names attributeSet) error {
	var certBag, wrapped, der cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !value.ReadASN1(&certBag, casn1.SEQUENCE) || !certBag.ReadASN1ObjectIdentifier(&oid) || !certBag.ReadASN1(&wrapped, explicit0) {
		return errMalformed
	}
	if !oid.Equal(oidX509Certificate) {
		return nil // an SDSI certificate; nothing we could use
	}
	if !wrapped.ReadASN1(&der, casn1.OCTET_STRING) {
		return errMalformed
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	c.certs = append(c.certs, certEntry{cert, names})
	return nil
}

// readAttributes reads the optional PKCS12AttrSet (RFC 7292 4.2). Unknown attributes are passed over.
func readAttributes(s cryptobyte.String) (a attributeSet, err error) {
	if s.Empty() {
		return a, nil
	}
	var set cryptobyte.String
	if !s.ReadASN1(&set, casn1.SET) || !s.Empty() {
		return a, errMalformed
	}
	for !set.Empty() {
		var entry, values, v cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !set.ReadASN1(&entry, casn1.SEQUENCE) || !entry.ReadASN1ObjectIdentifier(&oid) || !entry.ReadASN1(&values, casn1.SET) {
			return a, errMalformed
		}
		switch {
		case oid.Equal(oidFriendlyName):
			if !values.ReadASN1(&v, tagBMPString) || len(v)%2 != 0 {
				return a, errMalformed
			}
			a.friendlyName = fromBMP(v)
		case oid.Equal(oidLocalKeyID):
			if !values.ReadASN1(&v, casn1.OCTET_STRING) {
				return a, errMalformed
			}
			a.localKeyID = v
		}
	}
	return a, nil
}

// fromBMP reads UTF-16BE. A zero at the end, as some software writes, is dropped.
func fromBMP(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
	}
	for len(units) > 0 && units[len(units)-1] == 0 {
		units = units[:len(units)-1]
	}
	return string(utf16.Decode(units))
}

// identities puts keys and certificates together.
func (c *contents) identities() ([]Identity, []*x509.Certificate) {
	var list []Identity
	used := map[*x509.Certificate]bool{}
	for _, k := range c.keys {
		id := Identity{Key: k.key, FriendlyName: k.names.friendlyName}
		if best := c.certOf(k); best != nil {
			id.Cert = best.cert
			if id.FriendlyName == "" {
				id.FriendlyName = best.names.friendlyName
			}
			id.Chain = c.chainOf(best.cert)
			used[id.Cert] = true
			for _, up := range id.Chain {
				used[up] = true
			}
		}
		list = append(list, id)
	}
	var extra []*x509.Certificate
	for _, e := range c.certs {
		if !used[e.cert] {
			extra = append(extra, e.cert)
		}
	}
	return list, extra
}

// certOf finds the certificate of a key: of those with its public key the one with its localKeyId, else the one
// that is valid longest. A localKeyId that names a certificate of another key is not believed.
func (c *contents) certOf(k keyEntry) *certEntry {
	var best *certEntry
	for i := range c.certs {
		e := &c.certs[i]
		if k.public == nil || !bytes.Equal(k.public, keyOf(e.cert.RawSubjectPublicKeyInfo)) {
			continue
		}
		if k.names.localKeyID != nil && bytes.Equal(k.names.localKeyID, e.names.localKeyID) {
			return e
		}
		if best == nil || e.cert.NotAfter.After(best.cert.NotAfter) {
			best = e
		}
	}
	return best
}

// chainOf follows the issuers that the file holds, by name and signature.
func (c *contents) chainOf(cert *x509.Certificate) []*x509.Certificate {
	var chain []*x509.Certificate
	seen := map[*x509.Certificate]bool{cert: true}
	for len(chain) < maxChain && !bytes.Equal(cert.RawIssuer, cert.RawSubject) {
		var issuer *x509.Certificate
		for _, e := range c.certs {
			if seen[e.cert] || !bytes.Equal(e.cert.RawSubject, cert.RawIssuer) || c.checks >= maxChecks {
				continue
			}
			c.checks++
			if e.cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil {
				issuer = e.cert
				break
			}
		}
		if issuer == nil {
			break
		}
		seen[issuer] = true
		chain = append(chain, issuer)
		cert = issuer
	}
	return chain
}
