package ocsp

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // CertIDs of most clients
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"chancery.example/fault"
)

// hashes are the algorithms of CertIDs that we know, by their object identifier.
var hashes = map[string]crypto.Hash{
	"1.3.14.3.2.26":          crypto.SHA1,
	"2.16.840.1.101.3.4.2.1": crypto.SHA256,
	"2.16.840.1.101.3.4.2.2": crypto.SHA384,
	"2.16.840.1.101.3.4.2.3": crypto.SHA512,
}

var hashOIDs = map[crypto.Hash]asn1.ObjectIdentifier{
	crypto.SHA1:   {1, 3, 14, 3, 2, 26},
	crypto.SHA256: {2, 16, 840, 1, 101, 3, 4, 2, 1},
	crypto.SHA384: {2, 16, 840, 1, 101, 3, 4, 2, 2},
	crypto.SHA512: {2, 16, 840, 1, 101, 3, 4, 2, 3},
}

// NewCertID names the certificate with that serial number of that issuer. RFC 9919 3.1.1 wants crypto.SHA256;
// crypto.SHA1 is what every responder knows.
func NewCertID(issuer *x509.Certificate, serial *big.Int, hash crypto.Hash) (CertID, error) {
	if _, ok := hashOIDs[hash]; !ok {
		return CertID{}, fault.New(fault.Invalid, "ocsp.hash", "OCSP requests here are made with SHA-1, SHA-256, SHA-384 or SHA-512.")
	}
	key, err := publicKeyBits(issuer.RawSubjectPublicKeyInfo)
	if err != nil {
		return CertID{}, err
	}
	return CertID{Hash: hash, NameHash: sum(hash, issuer.RawSubject), KeyHash: sum(hash, key), Serial: serial}, nil
}

// IssuedBy reports whether id names a certificate of that issuer, by both hashes.
func (id CertID) IssuedBy(issuer *x509.Certificate) bool {
	if id.Serial == nil {
		return false
	}
	same, err := NewCertID(issuer, id.Serial, id.Hash)
	return err == nil && id.Equal(same)
}

func sum(hash crypto.Hash, b []byte) []byte {
	h := hash.New()
	h.Write(b)
	return h.Sum(nil)
}

// publicKeyBits gives the subjectPublicKey of a SubjectPublicKeyInfo, which key hashes cover (RFC 6960 4.1.1).
func publicKeyBits(spki []byte) ([]byte, error) {
	s := cryptobyte.String(spki)
	var seq cryptobyte.String
	var bits asn1.BitString
	if !s.ReadASN1(&seq, casn1.SEQUENCE) || !seq.SkipASN1(casn1.SEQUENCE) || !seq.ReadASN1BitString(&bits) {
		return nil, fault.New(fault.Invalid, "ocsp.issuer", "The public key of the issuing certificate cannot be read.")
	}
	return bits.Bytes, nil
}

// readCertID reads CertID (RFC 6960 4.1.1).
func readCertID(s *cryptobyte.String, id *CertID) bool {
	var seq, algorithm, name, key cryptobyte.String
	if !s.ReadASN1(&seq, casn1.SEQUENCE) || !seq.ReadASN1Element(&algorithm, casn1.SEQUENCE) ||
		!seq.ReadASN1(&name, casn1.OCTET_STRING) || !seq.ReadASN1(&key, casn1.OCTET_STRING) {
		return false
	}
	id.algorithm, id.NameHash, id.KeyHash = algorithm, name, key
	var content cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !algorithm.ReadASN1(&content, casn1.SEQUENCE) || !content.ReadASN1ObjectIdentifier(&oid) {
		return false
	}
	id.Hash = hashes[oid.String()]
	if id.Hash != 0 && (len(name) != id.Hash.Size() || len(key) != id.Hash.Size()) {
		return false
	}
	id.Serial = new(big.Int)
	return len(seq) <= maxSerial && seq.ReadASN1Integer(id.Serial) && seq.Empty()
}

func addCertID(b *cryptobyte.Builder, id CertID) {
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if id.algorithm != nil {
			b.AddBytes(id.algorithm)
		} else {
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(hashOIDs[id.Hash])
				b.AddASN1NULL() // RFC 5754 says none, but every client writes and some compare it
			})
		}
		b.AddASN1OctetString(id.NameHash)
		b.AddASN1OctetString(id.KeyHash)
		b.AddASN1BigInt(id.Serial)
	})
}

// writable reports whether id can be written.
func (id CertID) writable() bool {
	return id.Serial != nil && (id.algorithm != nil || hashOIDs[id.Hash] != nil)
}

// Equal reports whether both name the same certificate with the same hash algorithm.
func (id CertID) Equal(o CertID) bool {
	return id.Hash == o.Hash && id.Hash != 0 && bytes.Equal(id.NameHash, o.NameHash) && bytes.Equal(id.KeyHash, o.KeyHash) &&
		id.Serial != nil && o.Serial != nil && id.Serial.Cmp(o.Serial) == 0
}
