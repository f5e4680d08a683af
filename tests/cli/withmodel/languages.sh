# Who asks in another language than the documents' is answered by meaning: it is
# no reason to refuse that none of the words is there.
[ -n "${RAG_TEST_MODEL:-}" ] || skip "no model (RAG_TEST_MODEL)"
rag model add "$RAG_TEST_MODEL" --name e5-small -q >/dev/null
mkdir pages
page() { printf '# %s\n\n%s\n' "$2" "$3" >"pages/$1.md"; }
code() { rag ask "$1" >/dev/null 2>&1; echo "$? $1"; }

page returns Returns "Goods may be returned within 30 days. The refund is paid to the same card."
page office Office "The office in Busan is open from nine to six. Parking is free for visitors."
page heating Heating "The filter is cleaned every three months with warm water."
rag ingest --init pages -q
echo "== three pages"
code "how often is the filter cleaned?"
code "who won the world cup in 1998?"
code "필터는 얼마나 자주 청소하나요?"

page passwords Passwords "A password has twelve characters or more. It is changed when it was seen by others."
page travel Travel "Trains are booked by the assistant. A hotel costs up to 120 euros a night."
page printers Printers "The printer on the second floor prints in colour. Paper is kept in the cupboard."
page holidays Holidays "Everyone has 28 days of holiday a year. They are asked for two weeks ahead."
page kitchen Kitchen "Cups are put into the dishwasher. The coffee machine is descaled each month."
page sickness Sickness "Call before nine if you are ill. A certificate is needed from the third day on."
page salary Salary "The salary is paid on the 25th of each month."
page garage Garage "Bicycles stand in the garage. The gate opens with the staff card."
page meetings Meetings "Rooms are booked in the calendar. The sign in Korean says 회의 중."
page backup Backup "Backups run every night at two. Tapes are kept for ninety days."
rag ingest pages -q
echo "== a dozen, one with a word of Korean"
code "when is the salary paid?"
code "what do volcanoes emit?"
code "월급은 언제 지급되나요?"
code "비밀번호는 몇 글자 이상이어야 하나요?"
