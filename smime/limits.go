package smime

// What a stranger's mail may cost. Beyond a bound the mail is refused with a fault.TooLarge.
const (
	// maxHeader bounds one header block in octets. Exchange and Gmail stop at 256 KiB and 500 KiB.
	maxHeader = 512 << 10
	// maxFields bounds the fields of one header block.
	maxFields = 4096
	// maxNesting bounds how deep parts and forwarded mails may lie in one another. Real mail stays below ten.
	maxNesting = 32
	// maxParts bounds the parts of one mail, all levels together.
	maxParts = 10_000
	// maxLayers bounds the signatures and encryptions around one another; triple wrapping has three (RFC 2634 1.1).
	maxLayers = 8
	// maxBoundary is RFC 2046 5.1.1.
	maxBoundary = 70
	// maxPadding bounds the white space after a boundary in octets (transport padding, RFC 2046 5.1.1).
	maxPadding = 512
	// maxSignature bounds a detached signature in octets of CMS: several signers with long chains stay far below.
	maxSignature = 4 << 20
	// maxSignatures bounds the signers of one mail, parts included: each may cost a path and its revocation.
	maxSignatures = 64
	// maxMailboxes bounds what is read of one From field. The second already makes it ambiguous.
	maxMailboxes = 64
)

// bufferSize is what one layer of reading holds, in octets.
const bufferSize = 8 << 10
