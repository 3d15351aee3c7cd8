package cms

import (
	"crypto"
	"crypto/x509"
	"io"
	"slices"
	"time"
)

// Signer is one who signs.
type Signer struct {
	// Certificate is the signer's; it is carried in the message.
	Certificate *x509.Certificate
	// Key is the private key of Certificate: RSA of 2048 bits or more, ECDSA on P-256, P-384 or P-521, Ed25519 (RFC 8419),
	// or ML-DSA (RFC 9882; *mldsa.PrivateKey of filippo.io/mldsa). It may live in an HSM.
	Key crypto.Signer
	// PSS makes an RSA key sign by RSASSA-PSS (RFC 4056) and not by PKCS #1 v1.5.
	PSS bool
	// Hash is SHA256, SHA384 or SHA512; zero picks SHA-256, or what fits the curve of an ECDSA key. With Ed25519 and ML-DSA
	// it is always SHA-512.
	Hash crypto.Hash
	// KeyIdentifier names the signer by the certificate's subject key identifier and not by issuer and serial number.
	KeyIdentifier bool
}

// SignOptions says how to sign.
type SignOptions struct {
	// Signers sign, each for themselves; at least one.
	Signers []Signer
	// Certificates are carried beside those of the signers: usually the intermediates.
	Certificates []*x509.Certificate
	// CRLs are DER revocation lists to carry.
	CRLs [][]byte
	// Detached leaves the content out: it travels beside the signature.
	Detached bool
	// ContentType is what the content is; TypeData if empty.
	ContentType OID
	// ContentLength is the exact length of the content in bytes, if it is known and Detached is not set. Zero or less
	// means unknown. It makes the encoding shorter and, without ECDSA signers, all DER.
	ContentLength int64
	// SigningTime is stated in the signingTime attribute; if zero, there is none.
	SigningTime time.Time
	// Capabilities are stated in the SMIMECapabilities attribute, best first; if empty, there is none.
	Capabilities []Algorithm
	// Attributes are further signed attributes, the same for every signer.
	Attributes []Attribute
	// NoAttributes signs the content itself, without any signed attributes: RFC 5652 5.4. No mail client wants that; the
	// content must be of TypeData, and with Ed25519 or ML-DSA at most 1 MiB, since it is kept in memory until Close.
	NoAttributes bool
}

// NewSigner returns a writer that signs what is written to it. The message is complete on out when Close has
// returned nil; out is not closed. A key that does not fit its certificate, or that is too weak, is refused at once.
//
// The message is DER if the content is detached, short (64 KiB), or of known length and signed by no ECDSA key: the
// length of an ECDSA signature is not known before it is made. Else the outer lengths are indefinite.
func NewSigner(out io.Writer, o SignOptions) (io.WriteCloser, error) {
	w := &signWriter{out: out, detached: o.Detached, contentType: o.ContentType, length: o.ContentLength, digester: &Digester{}}
	if w.contentType == "" {
		w.contentType = TypeData
	}
	if derOID(w.contentType) == nil {
		return nil, refused("content-type", "%q is no content type.", w.contentType)
	}
	if len(o.Signers) == 0 {
		return nil, refused("no-signer", "There is nobody to sign.")
	}
	certificates := make([]*x509.Certificate, 0, len(o.Signers)+len(o.Certificates))
	for _, s := range o.Signers {
		p, err := prepareSigner(s)
		if err != nil {
			return nil, err
		}
		if err := p.prepareAttributes(w.contentType, o); err != nil {
			return nil, err
		}
		w.signers = append(w.signers, p)
		w.digester.add(p.digest.hash)
		if p.coversContent() {
			w.digester.keep(wholeContent)
			w.whole = true
		}
		certificates = append(certificates, s.Certificate)
	}
	w.carried = carried(append(certificates, o.Certificates...), o.CRLs)
	return w, nil
}

// signWriter writes one SignedData.
type signWriter struct {
	out         io.Writer
	detached    bool
	contentType OID
	length      int64
	signers     []*preparedSigner
	carried     []byte // certificates and crls
	digester    *Digester
	whole       bool // a signature covers the content itself

	early   []byte  // content while it may still turn out to be short
	pieces  *pieces // content once it did not
	written int64
	layers  int // of indefinite length that Close must end
	err     error
	closed  bool
}

// Write implements io.Writer.
func (w *signWriter) Write(p []byte) (int, error) {
	if w.err == nil && w.closed {
		w.err = errClosed
	}
	if w.err != nil {
		return 0, w.err
	}
	w.digester.Write(p)
	w.written += int64(len(p))
	switch {
	case w.whole && !w.digester.kept:
		w.err = tooLarge("bytes of content under a signature without attributes", wholeContent)
		return 0, w.err
	case w.detached:
		return len(p), nil
	case w.pieces == nil && len(w.early)+len(p) <= copyBuffer:
		w.early = append(w.early, p...)
		return len(p), nil
	case w.pieces == nil:
		w.err = w.begin()
	}
	if w.err == nil {
		w.err = w.pieces.write(p)
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// begin writes everything before the content, when that is too long to wait for its end.
func (w *signWriter) begin() error {
	outer := int64(-1)
	content := headerAndBody(tagOctetString, w.length)
	if w.length > 0 && w.fixedSignatures() {
		outer = int64(len(w.signerInfos(nil)) + len(w.carried))
	}
	head, layers := w.head(outer, content)
	w.layers = layers
	w.pieces = newPieces(w.out, tagOctetString, w.length)
	if _, err := w.out.Write(w.pieces.header(head)); err != nil {
		return err
	}
	err := w.pieces.write(w.early)
	w.early = nil
	return err
}

// head returns everything up to the OCTET STRING of the content. tail is the size of what will follow the content, -1 if
// unknown, which makes the lengths indefinite; content the size of the OCTET STRING with its header. layers counts the
// elements that stay open with an indefinite length.
func (w *signWriter) head(tail, content int64) (head []byte, layers int) {
	contentOID := derOID(w.contentType)
	version := derInteger(w.version())
	digests := w.digestAlgorithms()
	if tail < 0 {
		open := func(p []byte, t tag) []byte {
			layers++
			return appendHeader(p, header{tag: t, constructed: true, length: -1})
		}
		head = append(open(nil, tagSequence), derOID(TypeSignedData)...)
		head = open(open(head, context(0)), tagSequence)
		head = append(append(head, version...), digests...)
		layers = 0
		head = open(append(open(head, tagSequence), contentOID...), context(0))
		return head, layers
	}
	explicit := headerAndBody(context(0), content)
	encap := int64(len(contentOID)) + explicit
	signedData := int64(len(version)+len(digests)) + headerAndBody(tagSequence, encap) + tail
	info := headerAndBody(tagSequence, signedData)
	wrap := func(p []byte, t tag, length int64) []byte {
		return appendHeader(p, header{tag: t, constructed: true, length: length})
	}
	oid := derOID(TypeSignedData)
	head = append(wrap(nil, tagSequence, int64(len(oid))+headerAndBody(context(0), info)), oid...)
	head = wrap(wrap(head, context(0), info), tagSequence, signedData)
	head = append(append(head, version...), digests...)
	head = append(wrap(head, tagSequence, encap), contentOID...)
	return wrap(head, context(0), content), 0
}

// Close implements io.Closer: it signs.
func (w *signWriter) Close() error {
	if w.err != nil || w.closed {
		return w.err
	}
	w.closed = true
	w.err = w.finish()
	return w.err
}

func (w *signWriter) finish() error {
	if !w.detached && w.length > 0 && w.written != w.length {
		return refused("content-length", "The content has %d bytes, not the %d that were announced.", w.written, w.length)
	}
	if w.pieces != nil {
		if err := w.pieces.close(); err != nil {
			return err
		}
		tail := make([]byte, 2*w.layers, 4096)
		infos, err := w.sign()
		if err != nil {
			return err
		}
		tail = append(append(tail, w.carried...), infos...)
		if w.layers > 0 {
			tail = append(tail, 0, 0, 0, 0, 0, 0) // SignedData, [0], ContentInfo
		}
		_, err = w.out.Write(tail)
		return err
	}
	infos, err := w.sign()
	if err != nil {
		return err
	}
	var out []byte
	if w.detached {
		signedData := constructed(tagSequence, derInteger(w.version()), w.digestAlgorithms(),
			constructed(tagSequence, derOID(w.contentType)), w.carried, infos)
		out = constructed(tagSequence, derOID(TypeSignedData), constructed(context(0), signedData))
	} else {
		content := header{tag: tagOctetString, length: int64(len(w.early))}
		out, _ = w.head(int64(len(w.carried)+len(infos)), headerAndBody(content.tag, content.length))
		out = slices.Concat(appendHeader(out, content), w.early, w.carried, infos)
	}
	_, err = w.out.Write(out)
	return err
}

// version is CMSVersion of SignedData: RFC 5652 5.1.
func (w *signWriter) version() int64 {
	if w.contentType != TypeData {
		return 3
	}
	for _, s := range w.signers {
		if s.KeyIdentifier {
			return 3
		}
	}
	return 1
}

func (w *signWriter) digestAlgorithms() []byte {
	var set [][]byte
	for _, r := range w.digester.hashes {
		facts, _ := digestOf(r.hash)
		set = append(set, Algorithm{OID: facts.oid}.der())
	}
	return setOf(tagSet, set)
}

// fixedSignatures tells whether the size of every signature is known before it is made.
func (w *signWriter) fixedSignatures() bool {
	for _, s := range w.signers {
		if s.signatureBytes() == 0 {
			return false
		}
	}
	return true
}

// sign makes every signature and returns the set of SignerInfos.
func (w *signWriter) sign() ([]byte, error) {
	signatures := make([][]byte, len(w.signers))
	for i, s := range w.signers {
		var err error
		if signatures[i], err = s.sign(w.digester.find(s.digest.hash).Sum(nil), w.digester.whole); err != nil {
			return nil, err
		}
	}
	return w.signerInfos(signatures), nil
}

// signerInfos returns the set of SignerInfos. Without signatures it only has the right size.
func (w *signWriter) signerInfos(signatures [][]byte) []byte {
	set := make([][]byte, len(w.signers))
	for i, s := range w.signers {
		if signatures == nil {
			set[i] = s.signerInfo(make([]byte, s.digest.hash.Size()), make([]byte, s.signatureBytes()))
		} else {
			set[i] = s.signerInfo(w.digester.find(s.digest.hash).Sum(nil), signatures[i])
		}
	}
	return setOf(tagSet, set)
}

// carried returns certificates [0] and crls [1], without repetitions.
func carried(certificates []*x509.Certificate, crls [][]byte) []byte {
	var out []byte
	for n, list := range [][][]byte{rawCertificates(certificates), crls} {
		seen := map[string]bool{}
		var set [][]byte
		for _, p := range list {
			if !seen[string(p)] {
				seen[string(p)] = true
				set = append(set, p)
			}
		}
		if len(set) > 0 {
			out = append(out, setOf(context(n), set)...)
		}
	}
	return out
}

func rawCertificates(list []*x509.Certificate) [][]byte {
	out := make([][]byte, 0, len(list))
	for _, c := range list {
		out = append(out, c.Raw)
	}
	return out
}

// WriteBundle writes a SignedData without signers that only carries certificates and DER revocation lists, as for
// smime-type=certs-only: RFC 8551 3.8.
func WriteBundle(out io.Writer, certificates []*x509.Certificate, crls [][]byte) error {
	signedData := constructed(tagSequence, derInteger(1), constructed(tagSet), constructed(tagSequence, derOID(TypeData)),
		carried(certificates, crls), constructed(tagSet))
	_, err := out.Write(constructed(tagSequence, derOID(TypeSignedData), constructed(context(0), signedData)))
	return err
}
