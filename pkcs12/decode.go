package pkcs12

import (
	"crypto"
	"crypto/hmac"
	"crypto/x509"
	"encoding/asn1"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"chancery.example/fault"
)

// Decode opens a file. Each key becomes one Identity, in the order of the file, with the certificate that has its
// public key (the one that its localKeyId names, where several have it) and the chain that the file holds above it;
// certificates that belong to no identity are returned in extra.
//
// A wrong password is a fault.Invalid with code "pkcs12.wrong-password", a file that is damaged, or none, one with
// "pkcs12.damaged", one that uses an algorithm or key that we do not know one with "pkcs12.unsupported", and one that
// breaks limits a fault.TooLarge with "pkcs12.limit". A file without a MAC is opened: nothing proves then that it
// came whole from one hand. Parts that are sealed to a public key instead of a password are passed over, so that a file
// may open and hold nothing.
func Decode(data []byte, password string, limits Limits) (identities []Identity, extra []*x509.Certificate, err error) {
	limits = limits.orDefaults()
	if len(data) > limits.Size {
		return nil, nil, fault.New(fault.TooLarge, "pkcs12.limit", "This file is larger than the %d octets that a PKCS#12 file may have here.", limits.Size)
	}
	rounds := &budget{limits.Iterations}
	file, err := parse(data)
	if err != nil {
		return nil, nil, explain(err)
	}
	found, err := file.open(password, rounds, limits.Bags)
	if err != nil {
		return nil, nil, explain(err)
	}
	identities, extra = found.identities()
	return identities, extra, nil
}

func (l Limits) orDefaults() Limits {
	if l.Size == 0 {
		l.Size = 4 << 20
	}
	if l.Iterations == 0 {
		l.Iterations = 10_000_000
	}
	if l.Bags == 0 {
		l.Bags = 1024
	}
	return l
}

var (
	errPassword = errors.New("the MAC does not hold under this password")
	errAltered  = errors.New("the password opens the contents, but their MAC does not hold")
	errBags     = errors.New("more bags than the limit allows")
)

// explain turns an inner error into what the caller may be told.
func explain(err error) error {
	var u unsupported
	switch {
	case errors.Is(err, errPassword), errors.Is(err, errPadding):
		return fault.Wrap(err, fault.Invalid, "pkcs12.wrong-password", "The password does not open this file. Please try again; capital letters matter.")
	case errors.Is(err, errBudget), errors.Is(err, errBags):
		return fault.Wrap(err, fault.TooLarge, "pkcs12.limit", "Opening this file would take more work than is allowed here. Please export it again with usual settings.")
	case errors.As(err, &u):
		return fault.Wrap(err, fault.Invalid, "pkcs12.unsupported", "This file uses something that is not known here: %s. Please export it again with other settings.", u.what)
	}
	return fault.Wrap(err, fault.Invalid, "pkcs12.damaged", "This is not a whole PKCS#12 file (.p12 or .pfx). Please export or download it again.")
}

// pfxFile is a parsed PFX whose contents are still sealed.
type pfxFile struct {
	safe []byte // AuthenticatedSafe, as the MAC covers it
	mac  cryptobyte.String
}

// parse reads PFX (RFC 7292 4).
func parse(data []byte) (*pfxFile, error) {
	der, err := toDER(data)
	if err != nil {
		return nil, err
	}
	s := cryptobyte.String(der)
	var pfx cryptobyte.String
	var version int
	if !s.ReadASN1(&pfx, casn1.SEQUENCE) || !pfx.ReadASN1Integer(&version) || version != 3 {
		return nil, errMalformed
	}
	oid, content, err := readContentInfo(&pfx)
	if err != nil {
		return nil, err
	}
	if !oid.Equal(oidData) {
		return nil, unsupported{"protection of the whole file by a public key"}
	}
	var f pfxFile
	var safe cryptobyte.String
	if !content.ReadASN1(&safe, casn1.OCTET_STRING) {
		return nil, errMalformed
	}
	f.safe = safe
	if !pfx.Empty() && !pfx.ReadASN1(&f.mac, casn1.SEQUENCE) || !pfx.Empty() {
		return nil, errMalformed
	}
	return &f, nil
}

func readContentInfo(s *cryptobyte.String) (oid asn1.ObjectIdentifier, content cryptobyte.String, err error) {
	var info cryptobyte.String
	if !s.ReadASN1(&info, casn1.SEQUENCE) || !info.ReadASN1ObjectIdentifier(&oid) || !info.ReadASN1(&content, explicit0) {
		return nil, nil, errMalformed
	}
	return oid, content, nil
}

// open finds the form of the password under which the file opens, and opens it.
func (f *pfxFile) open(password string, rounds *budget, bags int) (*contents, error) {
	var first error
	for _, pw := range secrets(password) {
		err := f.checkMAC(pw, rounds)
		var c *contents
		if err == nil {
			c, err = f.contents(pw, rounds, bags)
		}
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = err
		}
		if !errors.Is(err, errPassword) && !errors.Is(err, errPadding) && !errors.Is(err, errMalformed) {
			return nil, err
		}
	}
	// One look tells a damaged file from a wrong password: contents that open were sealed with this password.
	if errors.Is(first, errPassword) {
		if c, err := f.contents(secrets(password)[0], rounds, bags); err == nil && c.sealed {
			return nil, errAltered
		}
	}
	return nil, first
}

// checkMAC holds the MAC of RFC 7292 4 or RFC 9579 against the contents. No MAC holds always.
func (f *pfxFile) checkMAC(pw secret, rounds *budget) error {
	if f.mac == nil {
		return nil
	}
	mac := f.mac
	var info, want, salt cryptobyte.String
	if !mac.ReadASN1(&info, casn1.SEQUENCE) {
		return errMalformed
	}
	oid, params, err := readAlgorithm(&info)
	if err != nil {
		return err
	}
	iterations := 1
	if !info.ReadASN1(&want, casn1.OCTET_STRING) || !info.Empty() || !mac.ReadASN1(&salt, casn1.OCTET_STRING) || len(salt) > maxSalt ||
		!mac.Empty() && !mac.ReadASN1Integer(&iterations) || !mac.Empty() {
		return errMalformed
	}
	var h crypto.Hash
	var key []byte
	if oid.Equal(oidPBMAC1) {
		h, key, err = keyPBMAC1(params, pw, rounds)
	} else {
		var ok bool
		if h, ok = digests[oid.String()]; !ok {
			return unsupported{"MAC " + oid.String()}
		}
		key, err = deriveRFC7292(h, pw.bmp, salt, iterations, forMAC, h.Size(), rounds)
	}
	if err != nil {
		return err
	}
	sum := hmac.New(h.New, key)
	sum.Write(f.safe)
	if !hmac.Equal(sum.Sum(nil), want) {
		return errPassword
	}
	return nil
}

// keyPBMAC1 derives the key of PBMAC1 (RFC 8018 7.1). Its length must be given and be 20 octets at least
// (RFC 9579 5); salt and iterations of the MacData mean nothing then.
func keyPBMAC1(params cryptobyte.String, pw secret, rounds *budget) (crypto.Hash, []byte, error) {
	var seq cryptobyte.String
	if !params.ReadASN1(&seq, casn1.SEQUENCE) {
		return 0, nil, errMalformed
	}
	kdf, err := readPBKDF2(&seq)
	if err != nil {
		return 0, nil, err
	}
	h, err := readHMAC(&seq)
	if err != nil {
		return 0, nil, err
	}
	if kdf.size < 20 || !seq.Empty() {
		return 0, nil, errMalformed
	}
	key, err := derivePBKDF2(kdf.prf, pw.utf8, kdf.salt, kdf.iterations, kdf.size, rounds)
	return h, key, err
}
