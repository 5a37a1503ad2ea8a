package bus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/lamppost-city/lamppost/firmware-bridge/fault"
)

// The example of the Eastron SDM630's protocol (V1.7, section 1.2): phase 1's voltage is 230.2 V.
func TestFramesAreThoseOfTheSpecification(t *testing.T) {
	request := []byte{0x01, 0x04, 0x00, 0x00, 0x00, 0x02, 0x71, 0xcb}
	onCable(t, Config{}, func(sent []byte) []piece {
		if !bytes.Equal(sent, request) {
			t.Errorf("sent % x", sent)
		}
		return []piece{{normal, []byte{0x01, 0x04, 0x04, 0x43, 0x66, 0x33, 0x34, 0x1b, 0x38}}}
	}, func(t *testing.T, l *modbusLine, _ *cable) {
		got, err := l.Read(t.Context(), 1, InputRegisters, 0, 2)
		if err != nil || len(got) != 2 || got[0] != 0x4366 || got[1] != 0x3334 {
			t.Errorf("got %x, %v", got, err)
		}
	})
}

// The example of Modbus Application Protocol V1.1b3, section 6.1: coils 20 to 38.
func TestBitsComeOneByOne(t *testing.T) {
	onCable(t, Config{}, func([]byte) []piece {
		return []piece{{normal, appendCRC([]byte{0x01, 0x01, 0x03, 0xcd, 0x6b, 0x05})}}
	}, func(t *testing.T, l *modbusLine, _ *cable) {
		got, err := l.Read(t.Context(), 1, Coils, 19, 19)
		if err != nil || fmt.Sprint(got) != "[1 0 1 1 0 0 1 1 1 1 0 1 0 1 1 0 1 0 1]" {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestWhatComesBesideTheAnswerDoesNoHarm(t *testing.T) {
	other := answering([]byte{7, 3, 0, 1, 0, 2})
	for _, c := range []struct {
		name  string
		units func([]byte) []piece
	}{
		{"a stray byte", func(r []byte) []piece { return []piece{{normal, append([]byte{0}, answering(r)...)}} }},
		{"stray bytes when the drivers switch", func(r []byte) []piece {
			return []piece{{time.Millisecond, []byte{0xff, r[0], r[1]}}, {normal, answering(r)}, {0, []byte{0}}}
		}},
		{"as many stray bytes as the answer has, at once before it", func(r []byte) []piece {
			return []piece{{normal, bytes.Repeat([]byte{0xff}, 20)}, {0, answering(r)}}
		}},
		{"the echo of an adapter", func(r []byte) []piece { return []piece{{0, r}, {normal, answering(r)}} }},
		{"an echo, and a unit that thinks for long", func(r []byte) []piece { return []piece{{0, r}, {900 * time.Millisecond, answering(r)}} }},
		{"an echo with a stray byte", func(r []byte) []piece {
			return []piece{{0, append(bytes.Clone(r), 0)}, {normal, answering(r)}}
		}},
		{"the answer of another unit", func(r []byte) []piece { return []piece{{normal, other}, {normal, answering(r)}} }},
		{"an answer byte by byte", func(r []byte) []piece {
			var pieces []piece
			for _, b := range answering(r) {
				pieces = append(pieces, piece{time.Millisecond, []byte{b}})
			}
			return pieces
		}},
		{"an answer that an adapter holds back halfway", func(r []byte) []piece {
			a := answering(r)
			return []piece{{normal, a[:3]}, {16 * time.Millisecond, a[3:]}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			onCable(t, Config{}, c.units, func(t *testing.T, l *modbusLine, w *cable) {
				for i := range uint16(20) {
					want(t, l, 1, i, 2)
				}
				if w.sent != 20 {
					t.Errorf("%d requests were sent for 20 reads", w.sent)
				}
			})
		})
	}
}

func TestFaultsAreNamed(t *testing.T) {
	wrongCRC := func(r []byte) []piece {
		a := answering(r)
		a[len(a)-1] ^= 1
		return []piece{{normal, a}}
	}
	for _, c := range []struct {
		name   string
		units  func([]byte) []piece
		kind   fault.Kind
		error  string
		advice string
	}{
		{"nobody answers", func([]byte) []piece { return nil }, fault.Timeout, "unit 1, holding registers 5 to 6: no answer", "A and B are swapped"},
		{"only another unit answers", func([]byte) []piece { return []piece{{normal, answering([]byte{7, 3, 0, 1, 0, 2})}} }, fault.Timeout, "frames of units [7]", "unit 1"},
		{"only an echo", func(r []byte) []piece { return []piece{{0, r}} }, fault.Timeout, "no answer", "unit's id"},
		{"wrong checksum", wrongCRC, fault.Garbled, "the answer is damaged", "9600 8N1"},
		{"half an answer", func(r []byte) []piece { return []piece{{normal, answering(r)[:5]}} }, fault.Garbled, "the answer is damaged", "parity"},
		{"nothing but noise", func(r []byte) []piece { return []piece{{normal, []byte{0xff, 0, 0x55}}} }, fault.Garbled, "bytes that are no answer", "parity"},
		{"another length", func(r []byte) []piece {
			r[5]++
			return []piece{{normal, answering(r)}}
		}, fault.Timeout, "no answer, but frames of units [1]", ""},
		{"a flood", func([]byte) []piece {
			return []piece{{0, bytes.Repeat([]byte{0x55}, 900)}, {time.Millisecond, bytes.Repeat([]byte{0x55}, 900)}}
		}, fault.Garbled, "never silent", "another master"},
		{"an exception", func(r []byte) []piece { return []piece{{normal, appendCRC([]byte{r[0], r[1] | 0x80, 2})}} }, fault.Refused, "illegal data address (exception 2)", "no such register"},
		{"an unknown exception", func(r []byte) []piece { return []piece{{normal, appendCRC([]byte{r[0], r[1] | 0x80, 99})}} }, fault.Refused, "exception 99", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			broken := true
			onCable(t, Config{}, func(r []byte) []piece {
				if broken {
					return c.units(r)
				}
				return healthy(r)
			}, func(t *testing.T, l *modbusLine, _ *cable) {
				_, err := l.Read(t.Context(), 1, HoldingRegisters, 5, 2)
				if fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.error) || !strings.Contains(fault.AdviceOf(err), c.advice) {
					t.Errorf("got %v (%s: %s)", err, fault.KindOf(err), fault.AdviceOf(err))
				}
				time.Sleep(time.Second)
				broken = false
				want(t, l, 1, 100, 2)
			})
		})
	}
}

func TestNoiseOnceIsAskedOverAgain(t *testing.T) {
	n := 0
	onCable(t, Config{}, func(r []byte) []piece {
		if n++; n == 1 {
			return []piece{{normal, answering(r)[:6]}}
		}
		return healthy(r)
	}, func(t *testing.T, l *modbusLine, _ *cable) {
		want(t, l, 1, 5, 2)
		if n != 2 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestOnlyAUnitThatAnsweredIsAskedAgainAfterSilence(t *testing.T) {
	n, silent := 0, true
	onCable(t, Config{}, func(r []byte) []piece {
		if n++; silent {
			return nil
		}
		return healthy(r)
	}, func(t *testing.T, l *modbusLine, _ *cable) {
		read := func(requests int) {
			t.Helper()
			n = 0
			_, _ = l.Read(t.Context(), 1, HoldingRegisters, 5, 2)
			if n != requests {
				t.Errorf("%d requests, want %d", n, requests)
			}
		}
		read(1)
		silent = false
		read(1)
		silent = true
		read(2)
		read(1)
	})
}

// The silence is that of Modbus over Serial Line V1.02, section 2.5.1.1, whoever is asked next.
func TestTheLineIsQuietBetweenFrames(t *testing.T) {
	for _, c := range []struct {
		baud  int
		quiet time.Duration
	}{
		{1200, 11 * time.Second / 1200 * 7 / 2},
		{0, 11 * time.Second / 9600 * 7 / 2},
		{19200, 11 * time.Second / 19200 * 7 / 2},
		{38400, 1750 * time.Microsecond},
		{115200, 1750 * time.Microsecond},
	} {
		t.Run(fmt.Sprint(c.baud), func(t *testing.T) {
			n := 0
			onCable(t, Config{Baud: c.baud}, func(r []byte) []piece {
				switch n++; n % 4 {
				case 1: // a unit that is silent
					return nil
				case 2: // one that says more than it should, late
					return []piece{{normal, answering(r)}, {c.quiet - 1, []byte{1}}, {c.quiet - 1, []byte{2}}}
				}
				return healthy(r)
			}, func(t *testing.T, l *modbusLine, w *cable) {
				for i := range 40 {
					_, _ = l.Read(t.Context(), uint8(1+i%3), HoldingRegisters, uint16(i), 1)
				}
				if w.least < c.quiet {
					t.Errorf("the line was silent for only %s before a request, want %s", w.least, c.quiet)
				}
			})
			onCable(t, Config{Baud: c.baud}, healthy, func(t *testing.T, l *modbusLine, w *cable) {
				for i := range uint8(10) {
					want(t, l, 1+i%3, uint16(i), 1)
				}
				if w.least != c.quiet {
					t.Errorf("the line was silent for %s before a request, want %s", w.least, c.quiet)
				}
			})
		})
	}
}

func TestLateAnswersAreNotTakenForPresentOnes(t *testing.T) {
	for _, late := range []time.Duration{modbusTimeout + 20*time.Millisecond, modbusTimeout * 3 / 2, modbusTimeout*2 - 50*time.Millisecond} {
		t.Run(late.String(), func(t *testing.T) {
			n := 0
			onCable(t, Config{}, func(r []byte) []piece {
				if n++; n%3 == 0 {
					return []piece{{late, answering(r)}}
				}
				return healthy(r)
			}, func(t *testing.T, l *modbusLine, _ *cable) {
				good := 0
				for i := range uint16(60) {
					got, err := l.Read(t.Context(), 1, HoldingRegisters, i, 2)
					switch {
					case err == nil && got[0] != register(1, i):
						t.Fatalf("register %d: got the answer of another request, %#x", i, got[0])
					case err == nil:
						good++
					case fault.KindOf(err) != fault.Timeout:
						t.Errorf("register %d: %v", i, err)
					}
				}
				if good < 40 {
					t.Errorf("only %d reads of 60 were good", good)
				}
			})
		})
	}
}

func TestAUnitThatIsTooSlowIsToldFromOneThatIsNotThere(t *testing.T) {
	onCable(t, Config{}, func(r []byte) []piece { return []piece{{modbusTimeout * 5 / 4, answering(r)}} }, func(t *testing.T, l *modbusLine, _ *cable) {
		for i, advice := range []string{"A and B", "later than 1s", "later than 1s"} {
			_, err := l.Read(t.Context(), 1, HoldingRegisters, uint16(i), 2)
			if fault.KindOf(err) != fault.Timeout || !strings.Contains(fault.AdviceOf(err), advice) {
				t.Errorf("read %d: %v (%s)", i, err, fault.AdviceOf(err))
			}
		}
	})
}

// What happens on the line is left to chance; every value that is returned is right all the same, and the line recovers.
func TestNoNoiseMakesAWrongValue(t *testing.T) {
	for seed := range uint64(30) {
		dice := rand.New(rand.NewPCG(seed, 1))
		onCable(t, Config{}, func(r []byte) []piece { return misfortune(dice, r) }, func(t *testing.T, l *modbusLine, _ *cable) {
			good := 0
			for range 300 {
				unit, address, n := uint8(1+dice.IntN(4)), uint16(dice.IntN(4000)), uint16(1+dice.IntN(4))
				got, err := l.Read(t.Context(), unit, HoldingRegisters, address, n)
				for i := range got {
					if got[i] != register(unit, address+uint16(i)) {
						t.Fatalf("seed %d: unit %d, register %d is %#x", seed, unit, address+uint16(i), got[i])
					}
				}
				if err == nil {
					good++
				} else if k := fault.KindOf(err); k != fault.Timeout && k != fault.Garbled {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
			if good < 180 {
				t.Errorf("seed %d: only %d reads of 300 were good", seed, good)
			}
		})
	}
}

func misfortune(dice *rand.Rand, r []byte) []piece {
	a := answering(r)
	noise := make([]byte, dice.IntN(12))
	for i := range noise {
		noise[i] = byte(dice.IntN(256))
	}
	switch dice.IntN(12) {
	case 0:
		return nil
	case 1:
		return []piece{{normal, a[:dice.IntN(len(a))]}}
	case 2:
		a[dice.IntN(len(a))] ^= 1 << dice.IntN(8)
		return []piece{{normal, a}}
	case 3:
		return []piece{{modbusTimeout + time.Duration(dice.Int64N(int64(modbusTimeout-normal))), a}}
	case 4:
		return []piece{{normal, noise}, {time.Duration(dice.Int64N(int64(normal))), a}}
	case 5:
		return []piece{{0, r}, {normal, a}}
	case 6:
		return []piece{{normal, a}, {time.Duration(dice.Int64N(int64(normal))), noise}}
	}
	return []piece{{normal, a}}
}

// A read of 17 to 24 coils from an address 0x03.. on is the one whose answer can be the request itself.
func TestAnAnswerLikeTheRequestIsToldFromAnEcho(t *testing.T) {
	request := appendCRC([]byte{1, 1, 3, 0x55, 0, 24})
	answer := appendCRC([]byte{1, 1, 3, 1, 2, 3})
	echoing := func(bool) []piece { return []piece{{0, request}, {normal, answer}} }
	for _, c := range []struct {
		name  string
		units func(bool) []piece
		want  []byte
	}{
		{"an echo", echoing, []byte{1, 2, 3}},
		{"no echo", func(bool) []piece { return []piece{{normal, request}} }, []byte{0x55, 0, 24}},
	} {
		t.Run(c.name, func(t *testing.T) {
			onCable(t, Config{}, func(r []byte) []piece { return c.units(bytes.Equal(r, request)) }, func(t *testing.T, l *modbusLine, _ *cable) {
				got, err := l.Read(t.Context(), 1, Coils, 0x355, 24)
				if err != nil {
					t.Fatal(err)
				}
				var packed [3]byte
				for i, bit := range got {
					packed[i/8] |= byte(bit) << (i % 8)
				}
				if !bytes.Equal(packed[:], c.want) {
					t.Errorf("got % x, want % x", packed, c.want)
				}
			})
		})
	}
}

func FuzzFindNeverMistakes(f *testing.F) {
	f.Add([]byte{0x01, 0x04, 0x04, 0x43, 0x66, 0x33, 0x34, 0x1b, 0x38}, uint16(2))
	f.Add([]byte{0x01, 0x84, 0x02, 0xc2, 0xc1}, uint16(1))
	f.Add(append([]byte{0xff, 0x01}, answering([]byte{1, 4, 0, 0, 0, 3})...), uint16(3))
	f.Fuzz(func(t *testing.T, heard []byte, n uint16) {
		r := modbusRequest{1, InputRegisters, 0, 1 + n%MaxRegisters}
		frame := appendCRC(append([]byte{r.unit}, r.pdu()...))
		answer, _ := find(r, frame, heard)
		if answer == nil {
			if rest, _ := sift(frame, heard); len(rest) > len(heard) {
				t.Errorf("%d bytes became %d", len(heard), len(rest))
			}
			return
		}
		if whole := appendCRC(append([]byte{1}, answer...)); !bytes.Contains(heard, whole) {
			t.Errorf("found % x, which is not there", whole)
		}
		if values, err := r.values(answer); err == nil && len(values) != int(r.n) {
			t.Errorf("%d values", len(values))
		}
	})
}

func FuzzReadMBAP(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 5, 1, 3, 2, 0x12, 0x34})
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		from := bytes.NewReader(stream)
		for {
			_, _, pdu, err := readMBAP(from)
			if err != nil {
				if k := fault.KindOf(err); k != fault.Garbled && !errors.Is(err, io.EOF) {
					t.Errorf("%v (%s)", err, k)
				}
				return
			}
			if len(pdu) < 2 || len(pdu) > maxPDU {
				t.Errorf("%d bytes", len(pdu))
			}
		}
	})
}
