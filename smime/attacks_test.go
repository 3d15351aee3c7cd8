package smime

// What attackers have tried against mail, and where it is tried here. A line without a test of this package names the
// package that has it; tests of cms, trust and pkcs12 stand beside their parsers.
//
// Signature spoofing
//
//	a certificate for another address; From twice, empty, absent, malformed    TestSignatureSpoofing, TestFromIsReadAsAnAttackerWritesIt
//	an address in the display name                                             TestFromIsReadAsAnAttackerWritesIt
//	an address in CN or emailAddress while the SAN says otherwise              TestSignatureSpoofing, TestAddressesOfACertificate
//	another From under the signature than outside                              TestWhoIsMeantByProtectedFrom
//	a valid signature over one part: mixed, related, forwarded, a third part   TestSignatureSpoofing, TestShapesOfTheRealWorld
//	two signers, none, no or unknown digestAlgorithms                          TestSignatureSpoofing; cms TestForgedSignedDataIsNeverIntact
//	eContent and a detached content at once                                    TestSignatureSpoofing; cms TestBothContentsAreRefused
//	signingTime as the time of validation                                      TestSigningTimeIsNotBelieved
//	signedAttrs re-encoded, messageDigest missing or twice, contentType wrong  TestOpenSSLCorpus; cms TestForgedSignedAttributesAreBroken
//	SHA-1, MD5, RSA under 2048, confused algorithms                            TestAlgorithms; cms TestForgedSignedDataIsNeverIntact
//	extended key usage, key usage                                              TestSignatureSpoofing; trust TestUsageAndStrength
//	name constraints by dot or case                                            TestNameConstraintTricks; trust TestNameConstraints
//	a text or header that imitates a seal                                      TestSealsOfTheSendersMaking; removing such headers: the gateway, later
//
// Decryption oracles and exfiltration
//
//	CBC gadgets (EFAIL)                                                        TestCBCGadgets, TestLayers
//	AEAD re-labelled as CBC or CTR with the same key                           TestKeysAreToldBeforeTheTextIsHandedOn; cms TestRelabelledMessagesAreRefused
//	short or missing tag, long parameters, authAttrs, missing parameters       TestOpenSSLCorpus; cms TestRelabelledMessagesAreRefused, TestToleratedFormsOfGCMAreRead
//	Bleichenbacher, padding and MAC oracles                                    TestFailuresLookTheSame; cms TestAllFailuresToOpenLookTheSame, TestImplicitRejectionIsRepeatable
//	a bounce that carries what was decrypted                                   the gateway, later
//	malformed OAEP parameters                                                  cms TestMalformedOAEPNeverFallsBack
//	plaintext and encrypted parts mixed                                        TestWhatIsNotOpened, TestShapesOfTheRealWorld
//	the boundary of the outer mail inside the decrypted text                   TestABoundaryInsideTheText
//	plaintext released before its tag is checked                               TestWhatIsNotOpened; cms TestNothingIsReleasedBeforeTheTag
//
// Resource exhaustion and parsers
//
//	indefinite lengths nested, lengths that overflow                           cms TestWhatIsTooMuchIsRefused
//	parts nested 2,500 levels, headers of a megabyte                           TestBoundsOfAMail, TestHeaderBounds
//	iteration counts in the billions                                           pkcs12 TestDecodeRefuses; password recipients: with them, in cms
//	a million recipients or certificates                                       cms TestWhatIsTooMuchIsRefused
//	base64 of the wrong kind                                                   TestBase64Reader
//	NUL, bare CR or LF; CRLF inside a value on output                          TestFromIsReadAsAnAttackerWritesIt, TestHeadersCannotBeInjected
//	LDAP filter injection                                                      the directory, later
//	CRL or OCSP without end                                                    trust FuzzParseCRL, MaxCRL; cli fetchBytes
//	certificate loops and path explosions                                      trust TestALabyrinthHasAnEnd
//	AIA URLs that point inside the house                                       the doors' fetchers, later: nothing is fetched here
//
// Living with real mail
//
//	Outlook's and Exchange's forms                                             TestShapesOfTheRealWorld
//	AES-GCM only for those who read it                                         TestCipherForRecipients, TestAMailGoesToGroupsOfReaders
//	relays re-wrap detached parts                                              TestSignedContentSurvivesRelays, TestSigningKeepsTheContent
//	several certificates for one address                                       TestTheNewestCertificateIsTaken, TestKeysFromAHouse
//	two of three recipients; Bcc                                               TestTwoOfThreeAreNeverWrittenTo, TestAMailGoesToGroupsOfReaders
//	a certificate is taken only from a valid mail                              harvesting: the directory, later
//	GCM with a bare IV                                                         cms TestToleratedFormsOfGCMAreRead
//	a failed signature inside a green lock                                     TestLayers

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery.example/cms"
	"chancery.example/fault"
	"chancery.example/testca"
	"chancery.example/trust"
)

// TestSigningTimeIsNotBelieved: a signature that claims to be older than expiry or revocation is judged at the
// reader's time, and what it claims is only shown.
func TestSigningTimeIsNotBelieved(t *testing.T) {
	c := newCast(t)
	dated := func(leaf *testca.Leaf) string {
		opts := signer(leaf)
		opts.At = now.AddDate(-1, 0, 0)
		return signed(t, letter, opts)
	}
	expired := c.root.Issuing().Leaf("alice@example.com", testca.Valid(testca.Start, now.AddDate(0, -6, 0)))
	report := open(t, dated(expired), c.reader())
	if report.Verdict != Untrusted || !slices.Contains(codes(report), string(trust.Expired)) {
		t.Errorf("past expiry: %s %v", report.Verdict, codes(report))
	}
	if got := report.Signatures[0].SigningTime; got == nil || !got.Equal(now.AddDate(-1, 0, 0)) {
		t.Errorf("shown as %v", got)
	}
	opts := c.reader()
	opts.Revocation = trust.Soft
	crl, err := trust.ParseCRL(c.alice.Issuer.CRL(now.Add(-time.Hour), testca.Revoked{Leaf: c.alice, At: now.AddDate(0, -6, 0)}))
	if err != nil {
		t.Fatal(err)
	}
	opts.CRLs = []*trust.CRL{crl}
	if report := open(t, dated(c.alice), opts); report.Verdict != Invalid {
		t.Errorf("past revocation: %s %v", report.Verdict, codes(report))
	}
}

// TestFailuresLookTheSame: whatever is wrong with an encrypted mail for one of our keys, the answer is one and the same.
func TestFailuresLookTheSame(t *testing.T) {
	c := newCast(t)
	gcm := recipients(c.bobRSA)
	gcm.Cipher = cms.AES256GCM
	cbc := recipients(c.bobRSA)
	cbc.Cipher = cms.AES256CBC
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	wrong := c.reader()
	wrong.Keys = []cms.DecryptionKey{{Certificate: c.bobRSA.Cert, Key: stranger}}
	var answers []string
	for _, attempt := range []struct {
		mail string
		opts Options
	}{{corrupt(encrypted(t, letter, gcm)), c.reader()}, {encrypted(t, letter, gcm), wrong}, {encrypted(t, letter, cbc), wrong}} {
		var out bytes.Buffer
		_, err := Open(t.Context(), strings.NewReader(attempt.mail), &out, attempt.opts)
		answers = append(answers, fmt.Sprint(fault.CodeOf(err), fault.Sentence(err), out.Len()))
	}
	if slices.Sort(answers); answers[0] != answers[2] || !strings.HasPrefix(answers[0], "cms.decrypt") {
		t.Errorf("%q", answers)
	}
}

// TestABoundaryInsideTheText: a text cannot end the mail around it.
func TestABoundaryInsideTheText(t *testing.T) {
	c := newCast(t)
	first := signed(t, letter, signer(c.alice))
	nested := fromAlice + "Content-Type: text/plain\r\n\r\n--" + boundaryOf(first) + "\r\nContent-Type: text/html\r\n\r\npay\r\n--" + boundaryOf(first) + "--\r\n"
	again := signed(t, nested, signer(c.alice))
	if boundaryOf(again) == boundaryOf(first) {
		t.Error("a boundary was used twice")
	}
	opts := c.reader()
	opts.Unwrap = Content
	var out bytes.Buffer
	report, err := Open(t.Context(), strings.NewReader(encrypted(t, again, recipients(c.bob))), &out, opts)
	if err != nil || report.Verdict != Valid || len(report.Signatures) != 1 || !strings.HasSuffix(out.String(), "pay\r\n--"+boundaryOf(first)+"--\r\n") {
		t.Errorf("%+v %v\n%s", report, err, out.String())
	}
}

// TestHeadersCannotBeInjected: what stands in a value stays in it when the field is written again.
func TestHeadersCannotBeInjected(t *testing.T) {
	c := newCast(t)
	for name, subject := range map[string]string{"a bare CR": "x\rBcc: mallory@example.net", "a NUL": "x\x00y"} {
		mail := strings.Replace(letter, "A letter", subject, 1)
		opts := signer(c.alice)
		opts.Headers = HeadersHidden
		if err := Sign(t.Context(), strings.NewReader(mail), io.Discard, opts); fault.CodeOf(err) != "mail.header" {
			t.Errorf("%s, signed: %v", name, err)
		}
		sealed := recipients(c.bob)
		sealed.ProtectHeaders = true
		if err := Encrypt(t.Context(), strings.NewReader(mail), io.Discard, sealed); fault.CodeOf(err) != "mail.header" {
			t.Errorf("%s, encrypted: %v", name, err)
		}
	}
	folded := strings.Replace(letter, "A letter", "A\r\n letter\r\n\t=?utf-8?q?x=0D=0ABcc:_mallory=40example=2Enet?=", 1)
	opts := signer(c.alice)
	opts.Headers, opts.LegacyDisplay = HeadersHidden, true
	var out bytes.Buffer
	reader := c.reader()
	reader.Unwrap = Content
	if _, err := Open(t.Context(), strings.NewReader(encrypted(t, signed(t, folded, opts), recipients(c.bob))), &out, reader); err != nil {
		t.Fatal(err)
	}
	if header, body := cut(out.String()); strings.Contains(strings.ToLower(header), "\nbcc:") || strings.Contains(body, "\nBcc:") {
		t.Errorf("%s\r\n%s", header, body)
	}
}
