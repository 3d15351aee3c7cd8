// Package smime answers: how is a mail signed, encrypted, opened and checked?
//
// It is S/MIME 4.0 (RFC 8551, RFC 8550) over the cms and trust packages. Sign and Encrypt write mails, Write makes of
// one mail the messages that its several readers can open, and Open reads them and returns one Report with the verdict
// of a careful reader. Header fields are protected by RFC 9788 where that is asked for, and told where they were.
//
// Everything streams: a mail of any size passes in bounded memory. Signed bytes are never parsed and written again;
// they are hashed and handed on as they came.
//
// The package has no clock and no network: the time is Options.At, and what is to be fetched goes through
// Options.Fetcher. Every bound that a stranger's mail must keep stands in limits.go.
package smime
