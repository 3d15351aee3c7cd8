package cms_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"chancery.example/cms"
)

// alice makes a key with a certificate, as a CA would.
func alice() (*x509.Certificate, *ecdsa.PrivateKey) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Alice"}, EmailAddresses: []string{"alice@example.com"},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
	}
	der, _ := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	cert, _ := x509.ParseCertificate(der)
	return cert, key
}

// Sign a message, then read it and check the signature.
func Example_sign() {
	cert, key := alice()
	var message bytes.Buffer
	w, err := cms.NewSigner(&message, cms.SignOptions{
		Signers:     []cms.Signer{{Certificate: cert, Key: key}},
		SigningTime: time.Now(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	io.Copy(w, strings.NewReader("We meet at noon.\n")) // a stream of any length
	if err := w.Close(); err != nil {
		fmt.Println(err)
		return
	}

	r, err := cms.NewReader(&message, cms.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := r.Signed()
	if err != nil {
		fmt.Println(err)
		return
	}
	content, _ := io.ReadAll(s.Content()) // do not believe it yet
	signed, err := s.Finish()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s", content)
	for _, signer := range signed.Signers {
		cert := signed.CertificateOf(signer) // whether to trust it is another question
		fmt.Println(cert.EmailAddresses, signer.Check(cert).Status)
	}
	// Output:
	// We meet at noon.
	// [alice@example.com] intact
}

// Encrypt a message for a recipient, then open it.
func Example_encrypt() {
	cert, key := alice()
	var message bytes.Buffer
	w, err := cms.NewEncrypter(&message, cms.EncryptOptions{
		Cipher:     cms.AES256GCM,
		Recipients: []cms.Recipient{{Certificate: cert}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	io.Copy(w, strings.NewReader("We meet at noon.\n"))
	if err := w.Close(); err != nil {
		fmt.Println(err)
		return
	}

	opened, err := cms.Decrypt(&message, []cms.DecryptionKey{{Certificate: cert, Key: key}}, cms.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer opened.Plaintext.Close()
	content, _ := io.ReadAll(opened.Plaintext)
	fmt.Printf("%s%s, authenticated: %t\n", content, opened.Cipher, opened.Authenticated)
	// Output:
	// We meet at noon.
	// aes-256-gcm, authenticated: true
}

// Encrypt for whoever knows a password.
func Example_password() {
	var message bytes.Buffer
	w, err := cms.NewEncrypter(&message, cms.EncryptOptions{Recipients: []cms.Recipient{{Password: "seven words that nobody else would think of"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	io.WriteString(w, "We meet at noon.\n")
	if err := w.Close(); err != nil {
		fmt.Println(err)
		return
	}

	keys := []cms.DecryptionKey{{Key: cms.Passphrase("seven words that nobody else would think of")}}
	opened, err := cms.Decrypt(&message, keys, cms.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer opened.Plaintext.Close()
	content, _ := io.ReadAll(opened.Plaintext)
	fmt.Printf("%s%v\n", content, opened.Authenticated)
	// Output:
	// We meet at noon.
	// true
}
