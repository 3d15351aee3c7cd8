package status

import "chancery.example/ca/issuance"

type answers struct{}

func newAnswers(most int) *answers { return &answers{} }

func (k *answers) forget(s issuance.Serial) {}
