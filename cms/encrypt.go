package cms

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"io"
)

// Recipient is one who shall be able to open the message.
type Recipient struct {
	// Certificate holds the public key: RSA of 2048 bits or more (key transport), or P-256, P-384, P-521 (key
	// agreement by RFC 5753), X25519 (RFC 8418), or ML-KEM-768 and 1024 (RFC 9936). Whether it is valid, and for this use, is for the caller to know.
	Certificate *x509.Certificate
	// OAEP makes an RSA key be used by RSAES-OAEP (RFC 3560) and not by PKCS #1 v1.5.
	OAEP bool
	// OAEPHash is SHA1, SHA256, SHA384 or SHA512 for digest and mask; SHA-256 if zero.
	OAEPHash crypto.Hash
	// KeyIdentifier names the recipient by the certificate's subject key identifier and not by issuer and serial number.
	KeyIdentifier bool
	// KDF is how key agreement and key encapsulation derive their key; zero picks what fits the recipient's.
	KDF KDF
	// Password lets everybody open the message who knows it, in the place of Certificate: RFC 5652 6.2.4. It must be a strong
	// one: whoever has the message can try as many as they like.
	Password Passphrase
	// Iterations is how often PBKDF2 goes round for Password, 10,000 to 4,000,000; 600,000 if zero.
	Iterations int
}

// EncryptOptions says how to encrypt.
type EncryptOptions struct {
	// Cipher is the content encryption algorithm; AES256GCM if zero.
	Cipher Cipher
	// Recipients are those who can open the message; at least one.
	Recipients []Recipient
	// ContentType is what the content is; TypeData if empty.
	ContentType OID
	// ContentLength is the exact length of the content in bytes, if it is known; then the message is DER. Zero or less
	// means unknown.
	ContentLength int64
	// DeriveKey encrypts the content by a key derived from that of the recipients and the algorithm, so that the algorithm
	// cannot be changed unseen: RFC 9709. Few clients read that yet.
	DeriveKey bool
}

// NewEncrypter returns a writer that encrypts what is written to it: into AuthEnvelopedData (RFC 5083) if the cipher is an
// AEAD, else into EnvelopedData (RFC 5652 6.1). The message is complete on out when Close has returned nil; out is not
// closed. A recipient that cannot be encrypted to is refused at once, before anything is written.
func NewEncrypter(out io.Writer, o EncryptOptions) (io.WriteCloser, error) {
	w := &encryptWriter{out: out, cipher: o.Cipher, length: max(o.ContentLength, 0)}
	if w.cipher == UnknownCipher {
		w.cipher = AES256GCM
	}
	if w.cipher.KeyBytes() == 0 || w.cipher.Weak() {
		return nil, refused("cipher", "The cipher %s is not written.", w.cipher)
	}
	contentType := o.ContentType
	if contentType == "" {
		contentType = TypeData
	}
	if derOID(contentType) == nil {
		return nil, refused("content-type", "%q is no content type.", contentType)
	}
	if w.tooMuch(w.length) {
		return nil, w.err
	}
	if len(o.Recipients) == 0 {
		return nil, refused("no-recipient", "There is nobody to encrypt for.")
	}
	key := make([]byte, w.cipher.KeyBytes())
	rand.Read(key)
	defer clear(key)
	version := int64(0)
	var infos [][]byte
	for _, r := range o.Recipients {
		der, needs, err := recipientInfo(r, key)
		if err != nil {
			return nil, err
		}
		if !w.cipher.AEAD() { // RFC 5652 6.1; it is always 0 in RFC 5083 2.1
			version = max(version, needs)
		}
		infos = append(infos, der)
	}
	if err := w.prepare(key, contentType, o.DeriveKey); err != nil {
		return nil, err
	}
	w.recipients = append(derInteger(version), setOf(tagSet, infos)...)
	return w, nil
}

// recipientInfo returns the RecipientInfo for one recipient, and the version of EnvelopedData that it needs: RFC 5652 6.1.
func recipientInfo(r Recipient, contentKey []byte) (der []byte, version int64, err error) {
	if r.Password != "" && r.Certificate == nil {
		der, err = passwordRecipient(r, contentKey)
		return der, 3, err
	}
	if r.Certificate == nil || r.Password != "" {
		return nil, 0, refused("no-recipient", "A recipient needs either a certificate or a password.")
	}
	if r.KeyIdentifier && len(r.Certificate.SubjectKeyId) == 0 {
		return nil, 0, refused("no-key-identifier", "The recipient's certificate has no subject key identifier to be named by.")
	}
	key := publicKeyOf(r.Certificate)
	switch public := key.key.(type) {
	case *rsa.PublicKey:
		if r.KeyIdentifier {
			version = 2
		}
		der, err = transportRecipient(r, key, public, contentKey)
		return der, version, err
	}
	if agreement, ok := agreementKeyOf(key.key); ok {
		der, err = agreeRecipient(r, agreement, contentKey)
		return der, 2, err
	}
	if _, _, _, ok := kemOf(key.key); ok {
		der, err = encapsulationRecipient(r, contentKey)
		return der, 3, err
	}
	if ec, ok := key.key.(*ecdsa.PublicKey); ok {
		return nil, 0, refused("recipient-key", "The recipient's curve %s is not supported.", ec.Curve.Params().Name)
	}
	return nil, 0, refused("recipient-key", "Keys of the recipient's kind cannot be encrypted to.")
}

// encryptWriter writes one EnvelopedData or AuthEnvelopedData.
type encryptWriter struct {
	out        io.Writer
	cipher     Cipher
	length     int64 // of the plaintext; 0 if unknown
	recipients []byte
	info       []byte // contentType and contentEncryptionAlgorithm
	additional []byte // DER of authAttrs as a SET; nil if there are none

	cbc    cipher.BlockMode
	stream cipher.Stream       // of an AEAD
	absorb func(sealed []byte) // into its tag
	sumTag func() []byte

	buffer  []byte  // plaintext not yet encrypted
	pieces  *pieces // once it is clear that the content is longer than the buffer
	written int64
	layers  int
	err     error
	closed  bool
}

// prepare makes nonce or IV, the ciphers, and all that is known of EncryptedContentInfo.
func (w *encryptWriter) prepare(key []byte, contentType OID, derive bool) error {
	nonce := make([]byte, w.cipher.nonceBytes())
	rand.Read(nonce)
	alg := Algorithm{OID: w.cipher.OID(), Parameters: simple(tagOctetString, nonce)}
	if w.cipher.AEAD() {
		if w.cipher != ChaCha20Poly1305 {
			// RFC 5084 3.2: the tag's length must be stated, since its default is 12.
			alg.Parameters = constructed(tagSequence, alg.Parameters, derInteger(gcmTag))
		}
		if contentType != TypeData { // RFC 5083 2.1
			a := Attribute{Type: attrContentType, Values: [][]byte{derOID(contentType)}}
			w.additional = setOf(tagSet, [][]byte{a.der()})
		}
	}
	if derive {
		var err error
		if key, err = deriveContentKey(key, alg.der()); err != nil {
			return err
		}
		defer clear(key)
		alg = Algorithm{OID: oidDeriveContentKey, Parameters: alg.der()}
	}
	w.info = append(derOID(contentType), alg.der()...)
	if w.length > 0 {
		w.buffer = make([]byte, 0, min(w.length+blockBytes, copyBuffer))
	}
	return w.prepareCipher(key, nonce)
}

// prepareCipher sets up what encrypts.
func (w *encryptWriter) prepareCipher(key, nonce []byte) error {
	if w.cipher == ChaCha20Poly1305 {
		c, err := newChaCha(key, nonce, w.additional)
		if err != nil {
			return err
		}
		w.absorb, w.sumTag = c.absorb, c.sumTag
		w.stream, err = c.stream()
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	if !w.cipher.AEAD() {
		w.cbc = cipher.NewCBCEncrypter(block, nonce)
		return nil
	}
	g, err := newGCM(block, nonce)
	if err != nil {
		return err
	}
	w.stream, w.absorb = g.stream(), g.absorb
	w.sumTag = func() []byte { tag := g.sumTag(w.additional); return tag[:] }
	return nil
}

// tooMuch tells whether length bytes are more than the cipher may encrypt, and remembers the error.
func (w *encryptWriter) tooMuch(length int64) bool {
	most := w.cipher.maxContent()
	if most == 0 || length <= most {
		return false
	}
	w.err = refused("content-length", "The cipher %s cannot encrypt more than %d GiB in one message.", w.cipher, (most+1<<29)>>30)
	return true
}

// Write implements io.Writer.
func (w *encryptWriter) Write(p []byte) (int, error) {
	if w.err == nil && w.closed {
		w.err = errClosed
	}
	total := len(p)
	for w.err == nil && len(p) > 0 {
		if len(w.buffer) == copyBuffer {
			w.err = w.flush()
			continue
		}
		n := min(copyBuffer-len(w.buffer), len(p))
		w.buffer = append(w.buffer, p[:n]...)
		p = p[n:]
	}
	if w.err != nil {
		return 0, w.err
	}
	w.written += int64(total)
	if w.tooMuch(w.written) {
		return 0, w.err
	}
	return total, nil
}

// flush encrypts a full buffer and writes it.
func (w *encryptWriter) flush() error {
	if w.pieces == nil {
		if err := w.begin(); err != nil {
			return err
		}
	}
	w.seal()
	err := w.pieces.write(w.buffer)
	w.buffer = w.buffer[:0]
	return err
}

// seal encrypts the buffer in place.
func (w *encryptWriter) seal() {
	if w.cbc != nil {
		w.cbc.CryptBlocks(w.buffer, w.buffer)
		return
	}
	w.stream.XORKeyStream(w.buffer, w.buffer)
	w.absorb(w.buffer)
}

// sealedLength is the size of the ciphertext of n bytes.
func (w *encryptWriter) sealedLength(n int64) int64 {
	if w.cbc != nil {
		return (n/blockBytes + 1) * blockBytes
	}
	return n
}

// typeOID is the content type of the message.
func (w *encryptWriter) typeOID() []byte {
	if w.cipher.AEAD() {
		return derOID(TypeAuthEnvelopedData)
	}
	return derOID(TypeEnvelopedData)
}

// begin writes everything before the ciphertext of a long content.
func (w *encryptWriter) begin() error {
	sealed := int64(-1)
	if w.length > 0 {
		sealed = w.sealedLength(w.length)
	}
	w.pieces = newPieces(w.out, context(0), sealed)
	_, err := w.out.Write(w.pieces.header(w.head(sealed)))
	return err
}

// head returns everything before the ciphertext, whose size is sealed or, if unknown, negative.
func (w *encryptWriter) head(sealed int64) []byte {
	info, data, content := int64(-1), int64(-1), int64(-1)
	oid := w.typeOID()
	if sealed >= 0 {
		info = int64(len(w.info)) + headerAndBody(context(0), sealed)
		data = int64(len(w.recipients)) + headerAndBody(tagSequence, info) + int64(len(w.tail(make([]byte, gcmTag))))
		content = headerAndBody(tagSequence, data)
	}
	outer := int64(-1)
	if sealed >= 0 {
		outer = int64(len(oid)) + headerAndBody(context(0), content)
	} else {
		w.layers = 4
	}
	open := func(p []byte, t tag, length int64) []byte {
		return appendHeader(p, header{tag: t, constructed: true, length: length})
	}
	head := append(open(nil, tagSequence, outer), oid...)
	head = open(open(head, context(0), content), tagSequence, data)
	head = append(head, w.recipients...)
	return append(open(head, tagSequence, info), w.info...)
}

// tail returns what follows EncryptedContentInfo.
func (w *encryptWriter) tail(tag []byte) []byte {
	if !w.cipher.AEAD() {
		return nil
	}
	var out []byte
	if w.additional != nil {
		e, _ := parseElement(w.additional)
		out = constructed(context(1), e.contents)
	}
	return append(out, simple(tagOctetString, tag)...)
}

// Close implements io.Closer: it ends the content and writes the tag.
func (w *encryptWriter) Close() error {
	if w.err != nil || w.closed {
		return w.err
	}
	w.closed = true
	w.err = w.finish()
	return w.err
}

func (w *encryptWriter) finish() error {
	if w.length > 0 && w.written != w.length {
		return refused("content-length", "The content has %d bytes, not the %d that were announced.", w.written, w.length)
	}
	if w.cbc != nil {
		n := blockBytes - len(w.buffer)%blockBytes // RFC 5652 6.3
		w.buffer = append(w.buffer, bytes.Repeat([]byte{byte(n)}, n)...)
	}
	w.seal()
	var tag []byte
	if w.sumTag != nil {
		tag = w.sumTag()
	}
	if w.pieces == nil {
		out := w.head(int64(len(w.buffer)))
		out = appendHeader(out, header{tag: context(0), length: int64(len(w.buffer))})
		out = append(append(out, w.buffer...), w.tail(tag)...)
		_, err := w.out.Write(out)
		return err
	}
	if err := w.pieces.write(w.buffer); err != nil {
		return err
	}
	if err := w.pieces.close(); err != nil {
		return err
	}
	tail := w.tail(tag)
	if w.layers > 0 {
		tail = append(append([]byte{0, 0}, tail...), 0, 0, 0, 0, 0, 0)
	}
	_, err := w.out.Write(tail)
	return err
}
