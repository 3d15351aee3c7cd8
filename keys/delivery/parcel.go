package delivery

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"unicode/utf8"

	"chancery.example/fault"
	"chancery.example/mailbox"
	"chancery.example/pkcs12"
)

// KeyBits is the size of a key born at pick-up. RSA, because every mail client can both sign and decrypt with it; 3072,
// because mail that is encrypted today is read for years.
const KeyBits = 3072

// Bounds of the password of a parcel, in characters. There is no upper taste, only a bound on work.
const (
	LeastPassword = 8
	MostPassword  = 1000
)

// Key is a private key on its way to its holder. It has no text form.
type Key struct{ signer *rsa.PrivateKey }

// Format writes nothing of the key, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[private key]") }

// Public is the key to certify.
func (k Key) Public() crypto.PublicKey { return k.signer.Public() }

// Born makes a key.
func Born() (Key, error) {
	k, err := rsa.GenerateKey(rand.Reader, KeyBits)
	if err != nil {
		return Key{}, fault.Wrap(err, fault.Internal, "delivery.key", "No key could be made. Please try again.")
	}
	return Key{signer: k}, nil
}

// CheckPassword refuses a password that cannot protect the file or that programs cannot be given.
func CheckPassword(p string) error {
	n := utf8.RuneCountInString(p)
	switch {
	case !utf8.ValidString(p):
		return fault.New(fault.Invalid, "password.encoding", "The password contains characters that cannot be read. Please type it again.")
	case n < LeastPassword:
		return fault.New(fault.Invalid, "password.short", "Please choose a password of at least %d characters; it protects your private key.", LeastPassword)
	case n > MostPassword:
		return fault.New(fault.Invalid, "password.long", "Please choose a password of at most %d characters.", MostPassword)
	}
	return nil
}

// CheckEncoding refuses an encoding that we do not know; empty means Modern.
func CheckEncoding(e Encoding) (Encoding, error) {
	switch e {
	case "", Modern:
		return Modern, nil
	case Legacy:
		return Legacy, nil
	}
	return "", fault.New(fault.Invalid, "delivery.encoding", "There is no encoding %q; use %q or %q.", e, Modern, Legacy)
}

// Pack puts a key, its certificate and the chain into one PKCS#12 under the holder's password.
func Pack(k Key, cert *x509.Certificate, chain []*x509.Certificate, to mailbox.Address, password string, e Encoding) (Parcel, error) {
	encoding := pkcs12.Modern
	if e == Legacy {
		encoding = pkcs12.Legacy
	}
	data, err := pkcs12.Encode([]pkcs12.Identity{{Key: k.signer, Cert: cert, Chain: chain, FriendlyName: to.Unicode()}}, password, encoding)
	if err != nil {
		return Parcel{}, err
	}
	return Parcel{Name: FileName(to, ".p12"), ContentType: "application/x-pkcs12", Data: data, Certificate: cert}, nil
}

// FileName is a name for a holder's file that every system can store: the address with unusual characters replaced.
func FileName(a mailbox.Address, ext string) string {
	out := make([]rune, 0, len(a.String()))
	for _, r := range a.String() {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '@', r == '.', r == '-', r == '_', r == '+':
			out = append(out, r)
		default:
			out = append(out, '_')
		}
	}
	return string(out) + ext
}
