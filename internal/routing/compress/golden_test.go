package compress

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirhq/weir/internal/llm"
)

var update = flag.Bool("update", false, "write golden files")

// dispute is a procurement dispute after a few turns: an order register, a contract, mail, and a question about them.
func dispute() *llm.Request {
	var register, contract, mail strings.Builder
	register.WriteString("order;supplier;amount;delivered\n")
	for i := range 60 {
		fmt.Fprintf(&register, "PO-%d;Supplier %c;%d.00 EUR;2026-%02d-%02d\n", 4400+i, 'A'+i%26, 800+37*i, i%9+1, i%27+1)
	}
	clauses := []string{
		"The supplier delivers to the plant in Bremen during working hours.",
		"Invoices are payable within 30 days of receipt.",
		"For late delivery the buyer may deduct 0.5% of the order's amount a day, at most 5%.",
		"The buyer shall not deduct anything unless the delay was notified in writing within 10 days.",
		"Packaging is taken back free of charge.", "The supplier keeps spare parts for 8 years.",
		"Disputes go to the courts of Bremen.", "Changes must be made in writing.",
	}
	for i, c := range clauses {
		fmt.Fprintf(&contract, "Section %d. %s The parties have read and understood this section.\n\n", i+1, c)
	}
	for i := range 12 {
		fmt.Fprintf(&mail,
			"Thank you for your message %d. We are looking into the matter and will come back to you shortly. ", i+1)
	}
	mail.WriteString("\n\nThe delay of PO-4417 was notified in writing on 14 August 2026 by clerk@buyer.example.")
	return &llm.Request{
		System: []llm.Part{{Text: "You are a procurement assistant. Answer from the documents only."}},
		Messages: []llm.Message{
			say(llm.User, "We must never accept a deduction above EUR 2,000 without the head of procurement."),
			say(llm.Assistant, "Understood."),
			say(llm.User, "Get me the register and the contract."),
			toolUse("1", "order_register", `{"plant":"Bremen"}`), toolResult("1", register.String()),
			toolUse("2", "contract", `{"supplier":"Supplier R"}`), toolResult("2", contract.String()),
			say(llm.Assistant, "I have both."),
			say(llm.User, mail.String(),
				"Supplier R disputes the deduction on PO-4417. How much may we deduct for the delay, and was it notified in time?"),
		},
	}
}

func TestDisputeBrief(t *testing.T) {
	b, err := Extract(dispute(), Options{Failure: "reference 1 of 2 (at byte 31) does not occur in the request"})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	f := b.Fidelity()
	fmt.Fprintf(&out, "pinned %d, kept %d, invented %d, tokens %d of %d\n", f.Pinned, f.Kept, f.Invented,
		f.BriefTokens, f.SourceTokens)
	for _, m := range b.Request().Messages {
		for _, p := range m.Parts {
			fmt.Fprintf(&out, "-- %s\n%s\n", m.Role, p.Text)
		}
	}
	const path = "testdata/dispute.golden"
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("brief (-want +got), accept with -update:\n%s", diff)
	}
}
