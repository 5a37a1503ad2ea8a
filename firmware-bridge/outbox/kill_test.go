package outbox_test

const childEnv = "LAMPPOST_OUTBOX_CHILD"

func child() int { return 0 }
