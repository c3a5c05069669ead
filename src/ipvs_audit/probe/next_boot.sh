# shellcheck shell=sh
# What the next boot will find: which kernel, whether its ip_vs has the key, whether /etc is kept, and
# what the initramfs loads. What it means is told on the controller.

# Reads the boot loader's files, the initramfs's configuration and the mounts. Takes the releases in
# /lib/modules from the environment, and names in `look` lines those that may boot next: the newest, and
# those that the loader's files name as their default or first.
# shellcheck disable=SC2016 # awk's dollars
next_boot_awk='
function newer(a, b,   x, y, n, m, i) {
  n = split(a, x, "[^0-9]+"); m = split(b, y, "[^0-9]+")
  for (i = 1; i <= n && i <= m; i++) if (x[i] + 0 != y[i] + 0) return x[i] + 0 > y[i] + 0
  return n > m
}
function say(text) { if (++said < 400) print substr(text, 1, 400); else cut = 1 }
function under(path, top) { return top == "/" || path == top || index(path, top "/") == 1 }
# The words of a kernel command line that matter, as cmdline in config.sh has them; $ for a variable.
function words(i,   found) {
  for (; i <= NF; i++) if ($i ~ "modules.?load|blacklist|sysctl|ip[_-]vs|[$]") found = found " " $i
  return found
}
function mounted(p,   over, best, m) {
  if (!(p in type)) return
  if (upper[p] != "") {
    for (m in type) if (m != p && under(upper[p], m) && length(m) >= length(best)) best = m
    over = " upper=" (best == "" || (best == "/" && type["/"] == "overlay") ? "unseen" : type[best])
  }
  say("mount " p " " type[p] (flags[p] ~ ",ro," ? " ro" : " rw") over)
}
FNR == 1 {
  what = FILENAME; sub(".*/", "", what)
  if (FILENAME ~ "/mountinfo$") what = "mountinfo"
  else if (FILENAME ~ "/loader/entries/") { what = "entry"; say("entry " FILENAME) }
  else if (FILENAME ~ "dracut") { what = "dracut"; variable = "" }
  else if (FILENAME ~ "/initramfs-tools/modules.d/") what = "modules"
  else if (FILENAME ~ "/initramfs-tools/") what = what == "modules" ? what : "script"
  if (what == "grub.cfg") say("menu " FILENAME)
  if (what == "grub.cfg" || what == "entry") menus++
}
what == "mountinfo" {
  for (i = 7; i < NF && $i != "-"; i++);
  type[$5] = $(i + 1); flags[$5] = "," $6 ","; upper[$5] = ""
  if ($(i + 1) == "overlay" && match($(i + 3), "upperdir=[^,]*")) upper[$5] = substr($(i + 3), RSTART + 9, RLENGTH - 9)
  next
}
what == "fstab" { # what was added since the boot
  sub("/+$", "", $2)
  if ($1 !~ "^#" && $2 ~ "^/." && $4 !~ "noauto" && !($2 in type)) { type[$2] = $3; flags[$2] = ",rw," }
  next
}
what == "grubenv" {
  if ($0 ~ "^(saved_entry|next_entry|prev_saved_entry|boot_counter|initrdfail|env_block)=.") { say("env " $0); named = named $0 }
  next
}
what == "grub.cfg" {
  sub("^[ \t]+", "")
  if ($0 ~ "^linux(16|efi)?[ \t]") { say("grub linux " $2 words(3)); if (!first++) named = named $2 }
  else if ($0 ~ "^(set[ \t]+)?default=") { sub("^set[ \t]+", ""); say("grub set " $0); named = named $0; if ($0 ~ "=.?[0-9]+[0-9>]*.?$" && $0 !~ "=.?0.?$") all = 1 }
  else if ($0 ~ "^((menuentry|submenu|blscfg|source|configfile)([ \t]|$)|[}])") say("grub " $0)
  else if ($0 ~ "[{][ \t]*$") say("grub {")
  else if (index($0, "boot_counter") && !counts++) say("grub boot_counter")
  next
}
what == "entry" && $1 == "options" { say("entry-options" words(2)) }
what == "entry" && $1 ~ "^(title|version|linux|efi|uki|id)$" { say("entry-" $0) }
what == "loader.conf" && $1 == "default" { say("loader " $0); named = named $0 }
what == "modules" && $0 ~ "^[ \t]*ip[_-]vs" { say("initramfs " FILENAME ":" FNR) }
what == "script" && $0 ~ "^[^#]*(modprobe|insmod|force_load)[^#]*ip[_-]vs" { say("initramfs " FILENAME ":" FNR) }
what == "dracut" && match($0, "^[ \t]*[a-z_]+[+]?=") { variable = $0 }
what == "dracut" && variable ~ "^[ \t]*force_drivers" && $0 ~ "^[^#]*ip[_-]vs" { say("initramfs " FILENAME ":" FNR) }
END {
  mounted("/"); mounted("/etc")
  for (p in type) if (p ~ "^/(etc|usr/lib|usr/local/lib|lib)/(sysctl|modprobe|modules-load|udev|systemd)") mounted(p)
  # Where a link from /etc may lead that is not there yet when the loaders run.
  for (p in type) if (p != "/" && p !~ "^/(proc|sys|dev|run)(/|$)|^/var/lib/(docker|containerd|containers|kubelet|snapd)/") {
    if (++points > 200) { print "point /"; break }
    print "point " substr(p, 1, 400)
  }
  print "points"
  if (cut) print "cut"
  n = split(ENVIRON["RELEASES"], release, "\n")
  for (i = 1; i <= n; i++) if (newest == "" || newer(release[i], newest)) newest = release[i]
  for (i = 1; i <= n && looks < 2 && menus; i++) if (release[i] != "" && release[i] != ENVIRON["RUNNING"] && (all || release[i] == newest || index(named, release[i]))) { looks++; print "look " release[i] }
}'

next_boot() {
  text='' releases='' n=0
  get /sys/kernel/kexec_loaded && text="kexec=$got$nl"
  [ ! -d /usr/lib/dracut ] || text="${text}dracut$nl"
  [ ! -e /boot/grub/custom.cfg ] && [ ! -e /boot/grub2/custom.cfg ] || text="${text}custom$nl"
  for path in /lib/modules/*; do
    if [ -d "$path" ] && [ -e "$path/modules.dep" ] && [ "$n" -lt 20 ]; then
      n=$((n + 1)) releases="$releases${path##*/}$nl" text="${text}kernel ${path##*/}$nl"
    fi
  done
  [ ! -d /lib/modules ] || [ -r /lib/modules ] || text="${text}closed /lib/modules$nl"
  set -- /proc/self/mountinfo
  [ ! -f /etc/fstab ] || [ ! -r /etc/fstab ] || set -- "$@" /etc/fstab
  for path in /etc/initramfs-tools/modules /usr/share/initramfs-tools/modules.d/* /etc/initramfs-tools/hooks/* /etc/initramfs-tools/scripts/*/* \
    /etc/dracut.conf /etc/dracut.conf.d/*.conf /usr/lib/dracut/dracut.conf.d/*.conf; do
    if [ -f "$path" ] && [ -r "$path" ]; then set -- "$@" "$path"; fi
  done
  for top in /boot /efi; do
    # Looking into a file system that is mounted on demand would mount it.
    for path in /run/systemd/generator/"${top##*/}".automount /run/systemd/generator.late/"${top##*/}".automount \
      /etc/systemd/system/"${top##*/}".automount; do
      [ ! -e "$path" ] || { text="${text}automount $top$nl"; continue 2; }
    done
    for path in "$top" "$top/grub" "$top/grub2" "$top/efi" "$top/efi/EFI" "$top/efi/EFI"/* "$top/loader" "$top/loader/entries"; do
      [ ! -d "$path" ] || { [ -r "$path" ] && [ -x "$path" ]; } || text="${text}closed $path$nl"
    done
    n=0
    for path in "$top"/vmlinu[xz]-* "$top"/Image-*; do
      if [ -e "$path" ] && [ "$n" -lt 20 ]; then n=$((n + 1)) text="${text}image $path$nl"; fi
    done
    n=0
    for path in "$top/grub2/grubenv" "$top/grub/grubenv" "$top/efi/EFI"/*/grubenv "$top/grub2/grub.cfg" "$top/grub/grub.cfg" \
      "$top/efi/EFI"/*/grub.cfg "$top/loader/loader.conf" "$top/efi/loader/loader.conf" "$top/loader/entries"/*.conf \
      "$top/efi/loader/entries"/*.conf; do
      if [ ! -f "$path" ]; then continue; fi
      n=$((n + 1))
      if [ ! -r "$path" ]; then text="${text}closed $path$nl"; elif [ "$n" -lt 40 ]; then set -- "$@" "$path"; else text="${text}cut$nl"; fi
    done
  done
  for name in LoaderInfo LoaderEntryDefault LoaderEntryOneShot; do
    path=/sys/firmware/efi/efivars/$name-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f
    [ ! -r "$path" ] || text="${text}efi $name=$(tr -dc '[:print:]' <"$path" 2>/dev/null)$nl"
  done
  told=$(RELEASES=$releases RUNNING=$release awk "$next_boot_awk" "$@" 2>/dev/null </dev/null)
  set -f
  IFS=$nl
  for line in $told; do
    case $line in
      'look '*) installed "${line#look }" ;;
      *) text="$text$line$nl" ;;
    esac
  done
  unset IFS
  set +f
  frame next-boot - 'cat /boot/grub*/grubenv /boot/grub*/grub.cfg /boot/loader/entries/*.conf /sys/kernel/kexec_loaded; grep ip_vs /lib/modules/*/modules.dep; ...' "${text}end$nl"
}

# installed RELEASE: what another kernel that is installed has of ip_vs.
installed() {
  lib=/lib/modules/$1 file='' knows=''
  text="${text}modules $1$nl"
  found=$(grep -hnsE '^[^:]*/ip_vs\.ko(\.[gx]z|\.zst)?(:|$)|^softdep ip[_-]vs ' "$lib/modules.dep" "$lib/modules.builtin" "$lib/modules.softdep")
  for line in $found; do
    case ${line#*:} in
      softdep*) text="${text}softdep=$line$nl" ;;
      *:*) file=${line#*:} file=${file%%:*} ;;
      *) text="${text}builtin$nl" ;;
    esac
  done
  case $file in '') return ;; /*) ;; *) file=$lib/$file ;; esac
  text="${text}file=$file$nl"
  knows_switch "$file"
  tell_switch
}
