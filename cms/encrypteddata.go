package cms

import "chancery.example/fault"

// readEncryptedData reads an EncryptedData up to its content: RFC 5652 8.
func (r *Reader) readEncryptedData() (*envelope, error) {
	if err := r.use(TypeEncryptedData); err != nil {
		return nil, err
	}
	if err := r.b.enter(tagSequence, "the encrypted data"); err != nil {
		return nil, err
	}
	e := &envelope{}
	var err error
	if e.version, err = r.b.integer("the version"); err != nil {
		return nil, err
	}
	return e, r.readEncryptedContentInfo(e)
}

// DecryptData continues as EncryptedData, which names no recipients: sender and reader share the content encryption key.
// It reads to the end and opens as Decrypt does. No such message is authenticated.
func (r *Reader) DecryptData(key []byte) (*Opened, error) {
	e, err := r.readEncryptedData()
	if err != nil {
		return nil, err
	}
	if err := e.readCipher(false); err != nil {
		return nil, err
	}
	if !e.known {
		return nil, refused("cipher", "This message is encrypted by %s, which cannot be opened here.", e.algorithm.Name())
	}
	if len(key) != e.cipher.KeyBytes() {
		return nil, fault.Wrap(errNotOpened, fault.Refused, "cms.key-size", "This message is encrypted by a key of %d bytes, not %d.", e.cipher.KeyBytes(), len(key))
	}
	o, err := newOpener(e, key)
	if err != nil {
		return nil, err
	}
	s := &spool{bound: r.limits.SpoolMemory, dir: r.limits.SpoolDir}
	opened, err := r.open(e, s, []opener{o})
	if err != nil {
		s.Close()
		return nil, err
	}
	return opened, nil
}
