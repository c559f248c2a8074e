// Count the characters of the instructions below their input.
const input = document.querySelector("textarea[data-limit]");
if (input) {
    const limit = Number(input.dataset.limit);
    const counter = document.createElement("p");
    counter.id = "instructions-counter";
    input.after(counter);
    const count = () => {
        const length = input.value.replaceAll("\n", "\r\n").length;
        counter.textContent = `${length.toLocaleString("en")} of ${limit.toLocaleString("en")} characters`;
        counter.className = length > limit ? "mt-2 text-sm text-red-700 dark:text-red-400" : "mt-2 text-sm";
    };
    input.addEventListener("input", count);
    count();
}
