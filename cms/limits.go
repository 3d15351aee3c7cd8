package cms

// Limits bounds what a reader accepts. The zero value of each field means its default. Sizes are in bytes. What goes
// beyond a bound is refused with the code cms.limit.
type Limits struct {
	// Depth is how deep elements may nest; 32 by default. Each layer of CMS takes about six.
	Depth int
	// Signers is how many SignerInfos a message may have; 64 by default.
	Signers int
	// SignerBytes is the size of one SignerInfo, attributes and signature included; 256 KiB by default.
	SignerBytes int
	// Recipients is how many RecipientInfos a message may have; 20,000 by default.
	Recipients int
	// RecipientBytes is the size of one RecipientInfo; 64 KiB by default.
	RecipientBytes int
	// RecipientsBytes is the size of all RecipientInfos together; 16 MiB by default.
	RecipientsBytes int
	// Certificates is how many certificates a message may carry; 256 by default.
	Certificates int
	// CertificateBytes is the size of one certificate; 128 KiB by default.
	CertificateBytes int
	// CRLs is how many revocation lists a message may carry; 64 by default.
	CRLs int
	// CRLBytes is the size of one revocation list; 8 MiB by default.
	CRLBytes int
	// CarriedBytes is the size of all certificates and revocation lists of a message together; 12 MiB by default.
	CarriedBytes int
	// AttributeBytes is the size of all attributes of one set together; 128 KiB by default.
	AttributeBytes int
	// ParameterBytes is the size of one AlgorithmIdentifier; 4 KiB by default.
	ParameterBytes int
	// DigestAlgorithms is how many digest algorithms a message may announce; 16 by default.
	DigestAlgorithms int
	// WholeContent is how much signed content is kept in memory for signatures without signed attributes by algorithms that
	// sign the content itself (Ed25519, ML-DSA); 1 MiB by default. Over longer content they check as Unknown.
	WholeContent int64
	// Attempts is how many encrypted keys are tried with private keys; 8 by default.
	Attempts int
	// Iterations is how many iterations of password derivation are done for all passwords of a message together; 4,000,000 by
	// default, some seconds. Recipients beyond that are not tried.
	Iterations int
	// Unpacked is the largest content that a compressed message may unpack to; 1 GiB by default.
	Unpacked int64
	// Ratio is how many bytes one byte of a compressed message may become, once there is more than 1 MiB of them; 100 by default.
	Ratio int
	// SpoolMemory is how much of an encrypted content is kept in memory until it may be released, before an
	// unlinked temporary file takes it; 4 MiB by default.
	SpoolMemory int64
	// SpoolDir is the folder of that file; the system's temporary folder by default.
	SpoolDir string
	// Content is the largest encrypted content; unlimited by default.
	Content int64
}

// Bounds of what callers cannot choose.
const (
	maxTagNumber     = 1<<14 - 1  // high tag numbers; CMS itself needs none
	maxNonce         = 16         // bytes of a nonce or IV before it is even looked at
	maxLabel         = 64         // bytes of an OAEP label
	maxOIDBytes      = 64         // bytes of an object identifier
	maxGCMContent    = 1<<36 - 32 // bytes, NIST SP 800-38D 5.2.1.1
	maxChaChaContent = 1<<38 - 64 // bytes, RFC 8439 2.8
	maxDescription   = 16         // levels of content types in Describe
	maxWrappedKey    = 128        // bytes of a content key that a password wraps
	minIterations    = 10_000     // of password derivation, as written
	maxIterations    = 4_000_000
	freeUnpacked     = 1 << 20  // bytes of unpacked content that may have any ratio
	maxCounterDepth  = 3        // counter-signatures upon each other
	copyBuffer       = 64 << 10 // bytes of a working buffer
	// readAhead is how many bytes are read at once for the sake of headers; contents go past that buffer.
	readAhead = 8 << 10
	segment   = 16 << 10 // bytes of one piece of an OCTET STRING of unknown length
)

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&l.Depth, 32}, {&l.Signers, 64}, {&l.SignerBytes, 256 << 10}, {&l.Recipients, 20_000}, {&l.RecipientBytes, 64 << 10},
		{&l.RecipientsBytes, 16 << 20}, {&l.Certificates, 256}, {&l.CertificateBytes, 128 << 10}, {&l.CRLs, 64}, {&l.CRLBytes, 8 << 20}, {&l.CarriedBytes, 12 << 20},
		{&l.AttributeBytes, 128 << 10}, {&l.ParameterBytes, 4 << 10}, {&l.DigestAlgorithms, 16}, {&l.Attempts, 8}, {&l.Iterations, maxIterations}, {&l.Ratio, 100},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if l.SpoolMemory <= 0 {
		l.SpoolMemory = 4 << 20
	}
	if l.Unpacked <= 0 {
		l.Unpacked = 1 << 30
	}
	if l.WholeContent <= 0 {
		l.WholeContent = wholeContent
	}
	return l
}
