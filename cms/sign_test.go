package cms_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"io"
	"slices"
	"testing"
	"time"

	"chancery.example/cms"
)

func signed(t testing.TB, content []byte, o cms.SignOptions) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := cms.NewSigner(&out, o)
	if err != nil {
		t.Fatal(err)
	}
	// Uneven pieces, so that no border falls on a round number.
	for rest := content; len(rest) > 0; {
		n := min(len(rest), 10007)
		if _, err := w.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// readSigned reads an opaque message.
func readSigned(t testing.TB, message []byte) ([]byte, *cms.Signed) {
	t.Helper()
	r, err := cms.NewReader(bytes.NewReader(message), cms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Signed()
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(s.Content())
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return content, out
}

var signers = map[string]struct {
	who    string
	signer cms.Signer
}{
	"RSA with PKCS #1 v1.5":            {"rsa", cms.Signer{}},
	"RSA with SHA-512":                 {"rsa", cms.Signer{Hash: crypto.SHA512}},
	"RSA-PSS":                          {"rsa", cms.Signer{PSS: true}},
	"RSA-PSS with SHA-384":             {"rsa", cms.Signer{PSS: true, Hash: crypto.SHA384}},
	"RSA named by its key identifier":  {"rsa", cms.Signer{KeyIdentifier: true}},
	"ECDSA on P-256":                   {"p256", cms.Signer{}},
	"ECDSA on P-384":                   {"p384", cms.Signer{}},
	"ECDSA on P-521":                   {"p521", cms.Signer{}},
	"ECDSA on P-256 with SHA-512":      {"p256", cms.Signer{Hash: crypto.SHA512}},
	"ECDSA on P-384 by key identifier": {"p384", cms.Signer{KeyIdentifier: true}},
}

var lengths = map[string]struct {
	content   int
	announced bool
}{
	"an empty content":                {0, false},
	"a short content":                 {5000, false},
	"a short content, announced":      {5000, true},
	"exactly the buffer":              {64 << 10, false},
	"one byte more than the buffer":   {64<<10 + 1, false},
	"a long content":                  {200_001, false},
	"a long content, announced":       {200_001, true},
	"a long content of whole pieces":  {16 << 14, false},
	"a whole number of cipher blocks": {4096, true},
}

func TestSignedMessagesCheckHereAndInOpenSSL(t *testing.T) {
	dir := t.TempDir()
	for name, who := range signers {
		for size, length := range lengths {
			for _, detached := range []bool{false, true} {
				t.Run(map[bool]string{true: "detached ", false: "opaque "}[detached]+name+" "+size, func(t *testing.T) {
					id := someone(t, who.who)
					content := text(length.content)
					o := cms.SignOptions{Signers: []cms.Signer{who.signer}, Detached: detached, SigningTime: time.Unix(1_800_000_000, 0),
						Capabilities: cms.DefaultCapabilities()}
					o.Signers[0].Certificate, o.Signers[0].Key = id.cert, id.signer()
					if length.announced {
						o.ContentLength = int64(len(content))
					}
					message := signed(t, content, o)
					checkHere(t, message, content, detached, id)
					if size == "a short content" || size == "a long content" || size == "a long content, announced" {
						checkByOpenSSL(t, dir, message, content, detached)
					}
				})
			}
		}
	}
}

func checkHere(t *testing.T, message, content []byte, detached bool, id *identity) {
	t.Helper()
	var s *cms.Signed
	if detached {
		var err error
		if s, err = cms.VerifyDetached(bytes.NewReader(message), bytes.NewReader(content), cms.Limits{}); err != nil {
			t.Fatal(err)
		}
		digester := cms.NewDigester()
		digester.Write(content)
		again, err := cms.VerifyDigested(bytes.NewReader(message), digester, cms.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if r := again.Signers[0].Check(id.cert); r.Status != cms.Intact {
			t.Fatalf("digested before: %+v", r)
		}
	} else {
		var got []byte
		if got, s = readSigned(t, message); !bytes.Equal(got, content) {
			t.Fatal("the content came out different")
		}
	}
	if len(s.Signers) != 1 || s.CertificateOf(s.Signers[0]) == nil {
		t.Fatalf("%d signers, certificates %v", len(s.Signers), s.Certificates)
	}
	signer := s.Signers[0]
	if r := signer.Check(id.cert); r.Status != cms.Intact {
		t.Fatalf("%+v", r)
	}
	if !signer.SigningTime.Equal(time.Unix(1_800_000_000, 0)) || len(signer.Capabilities) != len(cms.DefaultCapabilities()) {
		t.Errorf("signing time %v, capabilities %v", signer.SigningTime, signer.Capabilities)
	}
}

func checkByOpenSSL(t *testing.T, dir string, message, content []byte, detached bool) {
	t.Helper()
	cert, _ := someone(t, "ca").files(t, dir)
	args := []string{"cms", "-verify", "-binary", "-inform", "DER", "-CAfile", cert, "-in", write(t, dir, "message", message)}
	if detached {
		args = append(args, "-content", write(t, dir, "content", content))
	}
	if got := mustRun(t, nil, "openssl", args...); !bytes.Equal(got, content) {
		t.Fatal("OpenSSL read another content")
	}
}

func TestSignaturesOfOpenSSLCheckHere(t *testing.T) {
	dir := t.TempDir()
	content := text(70_000)
	in := write(t, dir, "content", content)
	for name, c := range map[string]struct {
		who  string
		args []string
		want cms.Status
	}{
		"RSA with SHA-256":              {"rsa", []string{"-md", "sha256"}, cms.Intact},
		"RSA with SHA-384, streamed":    {"rsa", []string{"-md", "sha384", "-stream"}, cms.Intact},
		"RSA with SHA-512 by key id":    {"rsa", []string{"-md", "sha512", "-keyid"}, cms.Intact},
		"RSA with SHA-224":              {"rsa", []string{"-md", "sha224"}, cms.Intact},
		"RSA without attributes":        {"rsa", []string{"-md", "sha256", "-noattr"}, cms.Intact},
		"RSA-PSS":                       {"rsa", []string{"-md", "sha256", "-keyopt", "rsa_padding_mode:pss"}, cms.Intact},
		"RSA-PSS with the longest salt": {"rsa", []string{"-md", "sha256", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:max"}, cms.Intact},
		"RSA-PSS without a salt":        {"rsa", []string{"-md", "sha384", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:0"}, cms.Intact},
		"RSA-PSS with another mask":     {"rsa", []string{"-md", "sha256", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_mgf1_md:sha512"}, cms.Unknown},
		"P-256":                         {"p256", []string{"-md", "sha256"}, cms.Intact},
		"P-384 with SHA-384":            {"p384", []string{"-md", "sha384"}, cms.Intact},
		"P-521 with SHA-512, streamed":  {"p521", []string{"-md", "sha512", "-stream"}, cms.Intact},
		"SHA-1 is weak":                 {"rsa", []string{"-md", "sha1"}, cms.Weak},
		"MD5 is weak":                   {"rsa", []string{"-md", "md5"}, cms.Weak},
		"RSA of 1024 bits is weak":      {"rsa-1024", []string{"-md", "sha256"}, cms.Weak},
		"P-224 is weak":                 {"p224", []string{"-md", "sha256"}, cms.Weak},
		"SHA-512/256 is not known":      {"rsa", []string{"-md", "sha512-256"}, cms.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			id := someone(t, c.who)
			cert, key := id.files(t, dir)
			args := append([]string{"cms", "-sign", "-binary", "-outform", "DER", "-signer", cert, "-inkey", key, "-in", in}, c.args...)
			if !slices.Contains(c.args, "-stream") { // which makes OpenSSL forget that the signature is detached
				detached := mustRun(t, nil, "openssl", args...)
				s, err := cms.VerifyDetached(bytes.NewReader(detached), bytes.NewReader(content), cms.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				if r := s.Signers[0].Check(id.cert); r.Status != c.want {
					t.Errorf("detached: %+v", r)
				}
			}
			opaque := mustRun(t, nil, "openssl", append(args, "-nodetach")...)
			got, s := readSigned(t, opaque)
			if r := s.Signers[0].Check(id.cert); r.Status != c.want || !bytes.Equal(got, content) {
				t.Errorf("opaque: %+v", r)
			}
		})
	}
}

func TestSeveralSignersEachCountForThemselves(t *testing.T) {
	rsa, p256, other := someone(t, "rsa"), someone(t, "p256"), someone(t, "p256-other")
	content := text(1000)
	message := signed(t, content, cms.SignOptions{
		Signers:      []cms.Signer{{Certificate: rsa.cert, Key: rsa.signer(), PSS: true, Hash: crypto.SHA512}, {Certificate: p256.cert, Key: p256.signer()}},
		Certificates: []*x509.Certificate{other.cert, rsa.cert},
	})
	got, s := readSigned(t, message)
	if !bytes.Equal(got, content) || len(s.Signers) != 2 || len(s.Certificates) != 3 {
		t.Fatalf("%d bytes, %d signers, %d certificates", len(got), len(s.Signers), len(s.Certificates))
	}
	for _, signer := range s.Signers {
		if r := signer.Check(s.CertificateOf(signer)); r.Status != cms.Intact {
			t.Errorf("%+v", r)
		}
		if r := signer.Check(other.cert); r.Status != cms.Broken || r.Reason != cms.ReasonWrongCertificate {
			t.Errorf("under a stranger's certificate: %+v", r)
		}
	}
	dir := t.TempDir()
	ca, _ := someone(t, "ca").files(t, dir)
	mustRun(t, message, "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-CAfile", ca)
}

func TestKnownLengthWithRSAIsDER(t *testing.T) {
	id := someone(t, "rsa")
	content := text(300_000)
	message := signed(t, content, cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}, ContentLength: int64(len(content))})
	var outer asn1.RawValue
	if rest, err := asn1.Unmarshal(message, &outer); err != nil || len(rest) != 0 {
		t.Fatalf("not DER: %v, %d bytes left", err, len(rest))
	}
}

func TestWhatCannotSignIsRefused(t *testing.T) {
	rsa, p256, weak, p224 := someone(t, "rsa"), someone(t, "p256"), someone(t, "rsa-1024"), someone(t, "p224")
	for name, c := range map[string]struct {
		o cms.SignOptions
	}{
		"nobody":                        {cms.SignOptions{}},
		"no key":                        {cms.SignOptions{Signers: []cms.Signer{{Certificate: rsa.cert}}}},
		"a key of another":              {cms.SignOptions{Signers: []cms.Signer{{Certificate: rsa.cert, Key: p256.signer()}}}},
		"RSA of 1024 bits":              {cms.SignOptions{Signers: []cms.Signer{{Certificate: weak.cert, Key: weak.signer()}}}},
		"P-224":                         {cms.SignOptions{Signers: []cms.Signer{{Certificate: p224.cert, Key: p224.signer()}}}},
		"SHA-1":                         {cms.SignOptions{Signers: []cms.Signer{{Certificate: rsa.cert, Key: rsa.signer(), Hash: crypto.SHA1}}}},
		"a content type that is none":   {cms.SignOptions{ContentType: "x", Signers: []cms.Signer{{Certificate: rsa.cert, Key: rsa.signer()}}}},
		"an attribute that we make too": {cms.SignOptions{Attributes: []cms.Attribute{{Type: "1.2.840.113549.1.9.4", Values: [][]byte{{5, 0}}}}, Signers: []cms.Signer{{Certificate: rsa.cert, Key: rsa.signer()}}}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := cms.NewSigner(io.Discard, c.o); err == nil {
				t.Error("was accepted")
			}
		})
	}
}

func TestAnnouncedLengthIsHeld(t *testing.T) {
	id := someone(t, "p256")
	for _, announced := range []int64{99, 101, 70_000} {
		w, err := cms.NewSigner(io.Discard, cms.SignOptions{Signers: []cms.Signer{{Certificate: id.cert, Key: id.signer()}}, ContentLength: announced})
		if err != nil {
			t.Fatal(err)
		}
		w.Write(text(100))
		if err := w.Close(); err == nil {
			t.Errorf("100 bytes passed for %d", announced)
		}
		e, err := cms.NewEncrypter(io.Discard, cms.EncryptOptions{Recipients: []cms.Recipient{{Certificate: id.cert}}, ContentLength: announced})
		if err != nil {
			t.Fatal(err)
		}
		e.Write(text(100))
		if err := e.Close(); err == nil {
			t.Errorf("100 bytes passed for %d when encrypting", announced)
		}
	}
}

func TestBundleCarriesCertificatesOnly(t *testing.T) {
	var out bytes.Buffer
	if err := cms.WriteBundle(&out, []*x509.Certificate{someone(t, "rsa").cert, someone(t, "p256").cert}, nil); err != nil {
		t.Fatal(err)
	}
	_, s := readSigned(t, out.Bytes())
	if len(s.Signers) != 0 || len(s.Certificates) != 2 {
		t.Errorf("%d signers, %d certificates", len(s.Signers), len(s.Certificates))
	}
	printed := mustRun(t, out.Bytes(), "openssl", "pkcs7", "-inform", "DER", "-print_certs")
	if bytes.Count(printed, []byte("BEGIN CERTIFICATE")) != 2 {
		t.Errorf("OpenSSL printed %s", printed)
	}
}
