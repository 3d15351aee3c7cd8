package cms

// readCounterSignatures reads the counter-signatures among the unsigned attributes: RFC 5652 11.4. depth counts the
// signatures around them. Nothing protects unsigned attributes, so that what is malformed among them, or beyond the bounds,
// is left out.
func (s *SignerInfo) readCounterSignatures(l Limits, depth int) {
	if depth >= maxCounterDepth {
		return
	}
	for _, a := range s.UnsignedAttributes {
		if a.Type != attrCounterSignature {
			continue
		}
		for _, value := range a.Values {
			if len(s.CounterSignatures) == l.Signers {
				return
			}
			counter, err := parseSigner(value, l, depth+1)
			if err != nil {
				continue
			}
			counter.content = contentFacts{contentType: TypeData, announced: true, counter: true, kept: true, whole: s.signature}
			if facts, known := counter.DigestAlgorithm.digest(); known {
				h := facts.hash.New()
				h.Write(s.signature)
				counter.content.digest = h.Sum(nil)
			}
			s.CounterSignatures = append(s.CounterSignatures, counter)
		}
	}
}
