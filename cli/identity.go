package cli

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/x509"
	"encoding/pem"
	"os"
	"slices"
	"strings"

	"chancery.example/cms"
	"chancery.example/fault"
	"chancery.example/pkcs12"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/term"
)

// identityFlags say who one is: certificate and key in two files, or everything in a PKCS#12.
type identityFlags struct {
	Cert           []string `help:"Your certificate, PEM or DER; further certificates in the file are taken for its chain. Once for each --key." placeholder:"FILE" sep:"none"`
	Key            []string `help:"Its private key, PEM or DER: PKCS#8, PKCS#1 or SEC1." placeholder:"FILE" sep:"none"`
	P12            string   `name:"p12" help:"A PKCS#12 file with any number of keys, in place of --cert and --key." placeholder:"FILE"`
	PassphraseFile string   `help:"A file whose first line opens the key; else the environment variable CHANCERY_PASSPHRASE, else you are asked." placeholder:"FILE"`
}

// identity is one key with its certificate and what lies above it.
type identity struct {
	key   crypto.PrivateKey
	cert  *x509.Certificate
	chain []*x509.Certificate
}

func (f *identityFlags) Validate() error {
	switch {
	case f.P12 != "" && len(f.Cert)+len(f.Key) > 0:
		return badUsage("give either --p12 or --cert with --key, not both")
	case len(f.Cert) > 0 && len(f.Key) == 0:
		return badUsage("--cert needs the --key that belongs to it")
	case len(f.Key) > 0 && len(f.Cert) == 0:
		return badUsage("--key needs the --cert that belongs to it")
	}
	return nil
}

func (f *identityFlags) given() bool { return f.P12 != "" || len(f.Cert) > 0 }

// load reads all identities.
func (f *identityFlags) load(console *Console) ([]identity, error) {
	if f.P12 != "" {
		return f.loadP12(console)
	}
	certs, err := readAllCertificates(f.Cert)
	if err != nil {
		return nil, err
	}
	var found []identity
	for _, path := range f.Key {
		key, err := f.loadKey(console, path)
		if err != nil {
			return nil, err
		}
		own := identity{key: key}
		for _, cert := range certs {
			if own.cert == nil && isKeyOf(key, cert) {
				own.cert = cert
			} else if cert.IsCA && !bytes.Equal(cert.RawIssuer, cert.RawSubject) {
				own.chain = append(own.chain, cert)
			}
		}
		if own.cert == nil {
			return nil, fault.New(fault.Invalid, "cli.key-mismatch", "%s is not the key of any certificate in %s", path, strings.Join(f.Cert, ", "))
		}
		found = append(found, own)
	}
	return found, nil
}

func (f *identityFlags) loadP12(console *Console) ([]identity, error) {
	data, err := readFile(f.P12)
	if err != nil {
		return nil, err
	}
	passphrase, err := f.passphrase(console, f.P12)
	if err != nil {
		return nil, err
	}
	list, extra, err := pkcs12.Decode(data, passphrase, pkcs12.Limits{})
	if err != nil {
		return nil, sealedFault(err, passphrase, f.P12)
	}
	var found []identity
	for _, one := range list {
		if one.Cert == nil || one.Key == nil {
			continue
		}
		own := identity{key: one.Key, cert: one.Cert}
		// What is on no key's path here may still be on one that a reader needs: a cross certificate, say.
		for _, cert := range append(slices.Clip(one.Chain), extra...) {
			if cert.IsCA && !bytes.Equal(cert.RawIssuer, cert.RawSubject) { // who trusts the root has it
				own.chain = append(own.chain, cert)
			}
		}
		found = append(found, own)
	}
	if len(found) == 0 {
		return nil, fault.New(fault.Invalid, "cli.no-identity", "%s holds no private key with its certificate", f.P12)
	}
	return found, nil
}

// loadKey reads a private key in any of the usual forms.
func (f *identityFlags) loadKey(console *Console, path string) (crypto.PrivateKey, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	encrypted := false
	if !isDER(data) {
		var der []byte
		for rest := data; der == nil; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				return nil, fault.New(fault.Invalid, "cli.no-key", "%s holds no private key in PEM or DER", path)
			}
			if strings.HasPrefix(block.Headers["Proc-Type"], "4,") {
				return nil, fault.New(fault.Refused, "cli.old-key-encryption",
					"%s is encrypted in the old, unsafe PEM way; convert it with: openssl pkcs8 -topk8 -in %s", path, path)
			}
			if strings.HasSuffix(block.Type, "PRIVATE KEY") {
				der, encrypted = block.Bytes, block.Type == "ENCRYPTED PRIVATE KEY"
			}
		}
		data = der
	}
	if encrypted || isEncryptedKey(data) {
		passphrase, err := f.passphrase(console, path)
		if err != nil {
			return nil, err
		}
		key, err := pkcs12.DecryptKey(data, passphrase, pkcs12.Limits{})
		return key, sealedFault(err, passphrase, path)
	}
	key := parseKey(data)
	if key == nil {
		return nil, fault.New(fault.Invalid, "cli.key", "%s holds no private key that is understood: PKCS#8, PKCS#1 or SEC1", path)
	}
	return key, nil
}

func parseKey(der []byte) crypto.PrivateKey {
	if key, err := cms.ParsePrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key
	}
	return nil
}

// isEncryptedKey recognises an EncryptedPrivateKeyInfo: SEQUENCE { SEQUENCE algorithm, OCTET STRING }, RFC 5958 3.
func isEncryptedKey(der []byte) bool {
	input := cryptobyte.String(der)
	return input.ReadASN1(&input, asn1.SEQUENCE) && input.SkipASN1(asn1.SEQUENCE) && input.SkipASN1(asn1.OCTET_STRING) && input.Empty()
}

// passphrase is that of a file: from --passphrase-file, the environment, or the person at the terminal.
func (f *identityFlags) passphrase(console *Console, path string) (string, error) {
	if f.PassphraseFile != "" {
		data, err := readFile(f.PassphraseFile)
		if err != nil {
			return "", err
		}
		line, _, _ := strings.Cut(string(data), "\n")
		return strings.TrimSuffix(line, "\r"), nil
	}
	if passphrase := console.Getenv("CHANCERY_PASSPHRASE"); passphrase != "" {
		return passphrase, nil
	}
	input, isFile := console.Stdin.(*os.File)
	if !isFile || !term.IsTerminal(int(input.Fd())) {
		return "", nil // many files have none; a wrong one is told by whoever opens the file
	}
	console.ask("Passphrase of %s: ", path)
	typed, err := term.ReadPassword(int(input.Fd()))
	console.ask("\n")
	return string(typed), err
}

// sealedFault tells a passphrase that nobody gave from a wrong one.
func sealedFault(err error, passphrase, path string) error {
	if passphrase == "" && fault.CodeOf(err) == "pkcs12.wrong-password" {
		return fault.Wrap(err, fault.Invalid, "cli.sealed", "%s is sealed with a passphrase; give it with --passphrase-file or in CHANCERY_PASSPHRASE", path)
	}
	return err
}

// isKeyOf reports whether cert certifies the public half of key.
func isKeyOf(key crypto.PrivateKey, cert *x509.Certificate) bool {
	if cert.PublicKey == nil { // a kind that crypto/x509 does not know
		own, certified := publicBytes(key), certifiedBytes(cert)
		return own != nil && bytes.Equal(own, certified)
	}
	type half interface {
		Equal(crypto.PublicKey) bool
	}
	switch own := key.(type) {
	case crypto.Signer:
		public, comparable := own.Public().(half)
		return comparable && public.Equal(cert.PublicKey)
	case interface{ PublicKey() crypto.PublicKey }:
		public, comparable := own.PublicKey().(half)
		return comparable && public.Equal(cert.PublicKey)
	}
	return false
}

// publicBytes is the public half of a key whose octets are its encoding: X25519 (RFC 8410 4), ML-KEM (RFC 9935 4) and
// ML-DSA (RFC 9881 4); nil for others.
func publicBytes(key crypto.PrivateKey) []byte {
	switch own := key.(type) {
	case *ecdh.PrivateKey:
		return own.PublicKey().Bytes()
	case *mlkem.DecapsulationKey768:
		return own.EncapsulationKey().Bytes()
	case *mlkem.DecapsulationKey1024:
		return own.EncapsulationKey().Bytes()
	case crypto.Signer:
		if public, ok := own.Public().(interface{ Bytes() []byte }); ok {
			return public.Bytes()
		}
	}
	return nil
}

// certifiedBytes is the subjectPublicKey of a certificate (RFC 5280 4.1.2.7).
func certifiedBytes(cert *x509.Certificate) []byte {
	input := cryptobyte.String(cert.RawSubjectPublicKeyInfo)
	var bits []byte
	if !input.ReadASN1(&input, asn1.SEQUENCE) || !input.SkipASN1(asn1.SEQUENCE) || !input.ReadASN1BitStringAsBytes(&bits) {
		return nil
	}
	return bits
}

// firstElement is the first DER element of data, or data where there is none.
func firstElement(data []byte) []byte {
	input := cryptobyte.String(data)
	var element cryptobyte.String
	if !input.ReadASN1Element(&element, asn1.SEQUENCE) {
		return data
	}
	return element
}
