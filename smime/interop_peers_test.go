package smime

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"chancery.example/cms"
	"chancery.example/pkcs12"
	"chancery.example/testca"
)

// interopCast is who signs and reads: one identity for each kind of key, each in files.
type interopCast struct {
	dir   string
	root  *testca.CA
	certs map[string]*x509.Certificate
	keys  map[string]crypto.PrivateKey
}

func newInteropCast(t *testing.T) *interopCast {
	t.Helper()
	c := &interopCast{dir: t.TempDir(), root: testca.New(t).Root(testca.RSA2048), certs: map[string]*x509.Certificate{}, keys: map[string]crypto.PrivateKey{}}
	write(t, c.dir, "root.pem", string(testca.CertPEM(c.root.Cert)))
	for who, algorithm := range map[string]testca.Algorithm{"rsa": testca.RSA2048, "p256": testca.P256, "p384": testca.P384, "p521": testca.P521, "ed25519": testca.Ed25519} {
		leaf := c.root.Leaf(who+"@example.com", algorithm)
		c.certs[who], c.keys[who] = leaf.Cert, leaf.Key
	}
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.certs["x25519"] = c.certifyX25519(t, key)
	c.keys["x25519"] = key
	for who, cert := range c.certs {
		der, err := x509.MarshalPKCS8PrivateKey(c.keys[who])
		if err != nil {
			t.Fatal(err)
		}
		write(t, c.dir, who+"-cert.pem", string(testca.CertPEM(cert)))
		write(t, c.dir, who+"-cert.der", string(cert.Raw))
		write(t, c.dir, who+"-key.der", string(der))
		write(t, c.dir, who+"-key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	}
	return c
}

// certifyX25519 has OpenSSL certify a key for which crypto/x509 writes no certificates.
func (c *interopCast) certifyX25519(t *testing.T, key *ecdh.PrivateKey) *x509.Certificate {
	t.Helper()
	public, err := x509.MarshalPKIXPublicKey(key.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	write(t, c.dir, "x25519.pub", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})))
	write(t, c.dir, "root-key.pem", string(testca.KeyPEM(t, c.root.Key)))
	write(t, c.dir, "x25519.ext", "keyUsage=keyAgreement\nextendedKeyUsage=emailProtection\nsubjectAltName=email:x25519@example.com\nauthorityKeyIdentifier=keyid\n")
	run(t, c.dir, "", "openssl", "req", "-new", "-key", "root-key.pem", "-subj", "/CN=x25519", "-out", "x25519.csr")
	text := run(t, c.dir, "", "openssl", "x509", "-req", "-in", "x25519.csr", "-force_pubkey", "x25519.pub", "-CA", "root.pem", "-CAkey", "root-key.pem",
		"-set_serial", "25519", "-days", "30", "-extfile", "x25519.ext")
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("openssl wrote %q", text)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// make is our side.
func (c *interopCast) make(t *testing.T, op operation, content []byte) ([]byte, error) {
	var out bytes.Buffer
	if op.cipher == cms.UnknownCipher {
		err := SignCMS(t.Context(), bytes.NewReader(content), &out, SignOptions{Opaque: true, At: now,
			Signers: []cms.Signer{{Certificate: c.certs[op.who], Key: c.keys[op.who].(crypto.Signer), Hash: op.hash, PSS: op.pss}}})
		return out.Bytes(), err
	}
	err := EncryptCMS(t.Context(), bytes.NewReader(content), &out, EncryptOptions{Cipher: op.cipher,
		Recipients: []cms.Recipient{{Certificate: c.certs[op.who], OAEP: op.oaep != 0, OAEPHash: op.oaep}}})
	return out.Bytes(), err
}

// read opens or checks a peer's message and tells what it was made with.
func (c *interopCast) read(op operation, message []byte) (content []byte, made string, err error) {
	var out bytes.Buffer
	made, err = "", nil
	described, err := cms.Describe(bytes.NewReader(message), cms.Limits{})
	if err != nil {
		return nil, "", err
	}
	report, err := OpenCMS(context.Background(), bytes.NewReader(message), nil, &out, Options{Anchors: []*x509.Certificate{c.root.Cert}, At: now, Unwrap: Content,
		Intermediates: []*x509.Certificate{c.certs[op.who]}, Keys: []cms.DecryptionKey{{Certificate: c.certs[op.who], Key: c.keys[op.who]}}})
	if err != nil {
		return nil, "", err
	}
	if op.cipher == cms.UnknownCipher {
		if report.Verdict != Valid {
			return nil, "", fmt.Errorf("verdict %s: %v", report.Verdict, report.Reasons)
		}
		algorithm := report.Signatures[0].SignatureAlgorithm
		if strings.HasSuffix(algorithm, "WithRSAEncryption") { // some name the digest here too
			algorithm = "rsaEncryption"
		}
		return out.Bytes(), algorithm + " " + report.Signatures[0].DigestAlgorithm, nil
	}
	how := string(described.Recipients[0].Kind)
	if c.certs[op.who].PublicKeyAlgorithm == x509.RSA {
		how = described.Recipients[0].KeyEncryption.Name()
	}
	return out.Bytes(), how + " " + report.Layers[0].Cipher, nil
}

// attempt runs a peer; its failure is the error.
func (c *interopCast) attempt(input []byte, name string, args ...string) ([]byte, error) {
	command := exec.Command(name, args...)
	command.Dir, command.Stdin = c.dir, bytes.NewReader(input)
	var out, said bytes.Buffer
	command.Stdout, command.Stderr = &out, &said
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("%v: %s", err, strings.Join(strings.Fields(said.String()), " "))
	}
	return out.Bytes(), nil
}

func digestName(h crypto.Hash) string {
	return strings.ToLower(strings.ReplaceAll(h.String(), "-", ""))
}

func versionOf(t *testing.T, c *interopCast, name string, args ...string) string {
	t.Helper()
	out, err := c.attempt(nil, name, args...)
	version := regexp.MustCompile(`\d+\.\d+`).FindString(string(out))
	if err != nil || version == "" {
		t.Fatalf("%s is missing; make peers installs it: %v", name, err)
	}
	return version
}

func opensslPeer(t *testing.T, c *interopCast) interopPeer {
	return interopPeer{
		name: "OpenSSL " + versionOf(t, c, "openssl", "version"),
		why: []explanation{
			because(`Ed25519: .*eddsa_digest_signverify_init:invalid digest`, "hands a digest to Ed25519, which takes none, and so neither makes nor checks RFC 8419"),
			because(`X25519.*(no matching recipient|not supported for this keytype)`, "has key agreement in CMS for the NIST curves only, not for X25519 (RFC 8418)"),
		},
		read: func(op operation, message []byte) ([]byte, error) {
			if op.cipher == cms.UnknownCipher {
				return c.attempt(message, "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-CAfile", "root.pem", "-purpose", "any")
			}
			return c.attempt(message, "openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-recip", op.who+"-cert.pem", "-inkey", op.who+"-key.pem")
		},
		make: func(op operation, content []byte) ([]byte, error) {
			if op.cipher == cms.UnknownCipher {
				args := []string{"cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-signer", op.who + "-cert.pem", "-inkey", op.who + "-key.pem", "-md", digestName(op.hash)}
				if op.pss {
					args = append(args, "-keyopt", "rsa_padding_mode:pss")
				}
				return c.attempt(content, "openssl", args...)
			}
			args := []string{"cms", "-encrypt", "-binary", "-outform", "DER", "-" + op.cipher.String(), "-recip", op.who + "-cert.pem"}
			if op.oaep != 0 {
				args = append(args, "-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:"+digestName(op.oaep))
			}
			return c.attempt(content, "openssl", args...)
		},
	}
}

func gpgsmPeer(t *testing.T, c *interopCast) interopPeer {
	home := filepath.Join(c.dir, "gnupg")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, home, "gpgsm.conf", "disable-crl-checks\ndisable-dirmngr\nno-common-certs-import\n")
	write(t, home, "gpg-agent.conf", "allow-loopback-pinentry\ndisable-scdaemon\n")
	write(t, home, "trustlist.txt", fmt.Sprintf("%X S relax\n", sha1.Sum(c.root.Cert.Raw)))
	t.Cleanup(func() { runQuietly(c.dir, "gpgconf", "--homedir", home, "--kill", "all") })
	gpgsm := func(input string, args ...string) ([]byte, error) {
		return c.attempt([]byte(input), "gpgsm", append([]string{"--homedir", home, "--batch", "--pinentry-mode", "loopback", "--passphrase-fd", "0"}, args...)...)
	}
	known := map[string]error{}
	if _, err := gpgsm("", "--import", "root.pem"); err != nil {
		t.Fatal(err)
	}
	for who, cert := range c.certs {
		p12, err := pkcs12.Encode([]pkcs12.Identity{{Key: c.keys[who], Cert: cert}}, "x", pkcs12.Legacy)
		if err != nil {
			known[who] = err
		} else {
			write(t, c.dir, who+"-legacy.p12", string(p12))
			_, known[who] = gpgsm("x\n", "--import", who+"-legacy.p12")
		}
		_, _ = gpgsm("", "--import", who+"-cert.pem") // what cannot be imported fails below, and says so
	}
	return interopPeer{
		name: "gpgsm " + versionOf(t, c, "gpgsm", "--version"),
		why: []explanation{
			because(`PSS.*: made rsaEncryption`, "reads RSASSA-PSS and has no way to ask for it; it signs by PKCS #1 v1.5 instead"),
			because(`ECD.*Segmentation fault`, "crashes with the private key of an elliptic curve out of a PKCS #12 file"),
			because(`P-521.*DSA requires the hash length`, "refuses signatures on P-521, whose length is no multiple of 8 bits"),
			because(`Ed25519.*DSA requires the hash length`, "takes an Ed25519 signature for DSA"),
			because(`25519.*error parsing or decrypting the PKCS#12`, "imports no Ed25519 or X25519 key"),
			because(`X25519.*Wrong key usage`, "encrypts to RSA keys and, as it means, to the NIST curves: X25519 is a wrong key usage"),
			because(`GCM.*error getting IV: Buffer too short`, "expects a nonce of a whole block and so reads no AES-GCM"),
			because(`GCM.*selected cipher algorithm is invalid`, "writes no AES-GCM"),
			because(`OAEP.*error getting encrypted session key`, "reads no RSAES-OAEP"),
			because(`OAEP.*: made rsaEncryption`, "has no way to ask for RSAES-OAEP; it encrypts by PKCS #1 v1.5 instead"),
			because(`ECDH.*(encryption failed for recipient|ksba_cms_set_enc_val failed)`, "fails to wrap a key for an elliptic curve"),
		},
		read: func(op operation, message []byte) ([]byte, error) {
			write(t, c.dir, "message", string(message))
			if op.cipher == cms.UnknownCipher {
				return gpgsm("x\n", "--output", "-", "--verify", "message")
			}
			got, err := gpgsm("x\n", "--decrypt", "message")
			if err != nil && known[op.who] != nil {
				err = known[op.who]
			}
			return got, err
		},
		make: func(op operation, content []byte) ([]byte, error) {
			write(t, c.dir, "content", string(content))
			if op.cipher == cms.UnknownCipher {
				if known[op.who] != nil {
					return nil, known[op.who]
				}
				return gpgsm("x\n", "--sign", "--digest-algo", strings.ToUpper(digestName(op.hash)), "--local-user", op.who+"@example.com", "content")
			}
			return gpgsm("x\n", "--encrypt", "--cipher-algo", gpgCipher(op.cipher), "--recipient", op.who+"@example.com", "content")
		},
	}
}

func gpgCipher(c cms.Cipher) string {
	return strings.TrimSuffix(strings.ToUpper(strings.ReplaceAll(c.String(), "-", "")), "CBC")
}

func nssPeer(t *testing.T, c *interopCast) interopPeer {
	db := "sql:" + filepath.Join(c.dir, "nss")
	if err := os.Mkdir(filepath.Join(c.dir, "nss"), 0o700); err != nil {
		t.Fatal(err)
	}
	run(t, c.dir, "", "certutil", "-N", "-d", db, "--empty-password")
	run(t, c.dir, "", "certutil", "-A", "-d", db, "-n", "root", "-t", ",C,", "-i", "root.pem")
	known := map[string]error{}
	for who := range c.certs {
		run(t, c.dir, "", "openssl", "pkcs12", "-export", "-in", who+"-cert.pem", "-inkey", who+"-key.pem", "-name", who, "-passout", "pass:x", "-out", who+".p12")
		if _, known[who] = c.attempt(nil, "pk12util", "-i", who+".p12", "-d", db, "-W", "x"); known[who] != nil {
			_, _ = c.attempt(nil, "certutil", "-A", "-d", db, "-n", who, "-t", ",,", "-i", who+"-cert.pem")
		}
	}
	cmsutil := func(input []byte, args ...string) ([]byte, error) {
		write(t, c.dir, "in", string(input))
		return c.attempt(nil, "cmsutil", append(args, "-d", db, "-i", "in")...)
	}
	return interopPeer{
		why: []explanation{
			because(`PSS.*: made rsaEncryption`, "reads RSASSA-PSS and has no way to ask for it; it signs by PKCS #1 v1.5 instead"),
			because(`25519.*UNABLE_TO_IMPORT_KEY`, "imports no Ed25519 or X25519 key"),
			because(`Ed25519.*BAD_SIGNATURE`, "does not know Ed25519 in CMS"),
			because(`(CBC|GCM).*: made rsaEncryption aes-128-cbc`, "chooses the cipher and key transport itself, and took AES-128-CBC by PKCS #1 v1.5"),
			because(`GCM.*UNRECOGNIZED_OID`, "does not know AuthEnvelopedData"),
			because(`OAEP.*UNSUPPORTED_KEYALG`, "reads no RSAES-OAEP in CMS"),
			because(`ECDH.*(BAD_DER|INVALID_ALGORITHM)`, "has no key agreement with elliptic curves in CMS"),
			because(`X25519.*cannot find certificate`, "finds no certificate with an X25519 key"),
		},
		name: "NSS " + versionOf(t, c, "dpkg-query", "-W", "-f", "${Version}", "libnss3-tools"),
		read: func(op operation, message []byte) ([]byte, error) {
			if op.cipher == cms.UnknownCipher {
				return cmsutil(message, "-D", "-u", "4")
			}
			got, err := cmsutil(message, "-D")
			if err != nil && known[op.who] != nil {
				err = known[op.who]
			}
			return got, err
		},
		make: func(op operation, content []byte) ([]byte, error) {
			if op.cipher == cms.UnknownCipher {
				if known[op.who] != nil {
					return nil, known[op.who]
				}
				return cmsutil(content, "-S", "-N", op.who, "-H", strings.ToUpper(digestName(op.hash)))
			}
			return cmsutil(content, "-E", "-r", op.who+"@example.com")
		},
	}
}

// bouncyCastle is a small Java program around it, testdata/Interop.java, compiled here.
func bouncyCastle(t *testing.T, c *interopCast) interopPeer {
	jars, _ := filepath.Glob("/usr/share/java/bcpkix-*.jar")
	if len(jars) == 0 {
		t.Fatal("Bouncy Castle is missing; make peers installs libbcmail-java")
	}
	version := regexp.MustCompile(`\d+\.\d+`).FindString(filepath.Base(jars[0]))
	path := "/usr/share/java/bcpkix.jar:/usr/share/java/bcprov.jar:/usr/share/java/bcutil.jar:" + c.dir
	source, err := filepath.Abs(filepath.Join("testdata", "Interop.java"))
	if err != nil {
		t.Fatal(err)
	}
	run(t, c.dir, "", "javac", "-d", c.dir, "-cp", path, source)
	java := exec.CommandContext(t.Context(), "java", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", path, "Interop")
	java.Dir = c.dir
	in, err := java.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, err := java.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := java.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = java.Wait() })
	lines := bufio.NewScanner(answers)
	ask := func(input []byte, command ...string) ([]byte, error) {
		write(t, c.dir, "in", string(input))
		if _, err := io.WriteString(in, strings.Join(command, " ")+" in out\n"); err != nil || !lines.Scan() {
			return nil, fmt.Errorf("java ended: %v", err)
		}
		if answer := lines.Text(); answer != "ok" {
			return nil, fmt.Errorf("%s", answer)
		}
		return os.ReadFile(filepath.Join(c.dir, "out"))
	}
	return interopPeer{
		name: "Bouncy Castle " + version,
		why: []explanation{
			because(`X25519.*(no such algorithm|Unknown key agreement algorithm)`, "does not know the key agreement of RFC 8418 with HKDF"),
		},
		read: func(op operation, message []byte) ([]byte, error) {
			if op.cipher == cms.UnknownCipher {
				return ask(message, "check")
			}
			return ask(message, "open", op.who+"-cert.der", op.who+"-key.der")
		},
		make: func(op operation, content []byte) ([]byte, error) {
			if op.cipher == cms.UnknownCipher {
				algorithm := strings.ToUpper(digestName(op.hash)) + "with" + map[string]string{"rsa": "RSA", "p256": "ECDSA", "p384": "ECDSA", "p521": "ECDSA"}[op.who]
				if op.who == "ed25519" {
					algorithm = "Ed25519"
				}
				if op.pss {
					algorithm += "andMGF1"
				}
				return ask(content, "sign", algorithm, op.who+"-cert.der", op.who+"-key.der")
			}
			how := "v1.5"
			switch {
			case op.oaep != 0:
				how = op.oaep.String()
			case op.who != "rsa":
				how = "agree"
			}
			return ask(content, "seal", how, bcCipher(op.cipher), op.who+"-cert.der")
		},
	}
}

func bcCipher(c cms.Cipher) string {
	name := strings.ToUpper(c.String()) // AES-256-GCM -> AES256_GCM
	return strings.Replace(strings.Replace(name, "-", "", 1), "-", "_", 1)
}
